//! The safeguard: limits, trips, releases and everything that a person can do about them.

mod limits;
mod shadow;
mod shadow_commands;
mod shadow_feed;
mod shadow_roles;
