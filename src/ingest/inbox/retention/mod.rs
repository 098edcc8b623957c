//! Deletes old data of the inbox: bodies of parked deliveries, and rows of settled ones.

pub mod store;
