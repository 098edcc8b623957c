//! Counts the accounts for the safeguard.

pub(crate) mod store;
