//! How long the inbox remembers: bodies of parked deliveries, and what is left of settled ones.

pub mod store;
