//! The safeguard: limits, trips, releases and everything that a person can do about them.

mod commands;
mod limits;
mod reject;
mod release;
