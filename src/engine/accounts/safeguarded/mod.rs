//! Reads of the accounts for the safeguard and for an undo: how many there are, and who wrote a row last.

pub(crate) mod store;
