//! The transactions that wrote the rows of accounts. An undo compares them: a row that somebody else has written since is left
//! as it is.

pub(crate) mod store;
