//! How long the inbox remembers: bodies of failed deliveries, and what is left of processed ones.

pub mod store;
