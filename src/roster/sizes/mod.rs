//! Numbers of rows, for the progress of long work.

pub(crate) mod store;
