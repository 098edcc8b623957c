//! Deletes old data of the inbox: bodies of failed deliveries, and rows of settled ones.

pub(crate) mod store;
