//! The safeguard: limits, trips, releases and everything that a person can do about them.

mod approvals;
mod commands;
mod concurrent;
mod grants;
mod limits;
mod reject;
mod release;
