//! The safeguard: limits, trips, releases and everything that a person can do about them.

mod limits;
pub(crate) mod undo;
