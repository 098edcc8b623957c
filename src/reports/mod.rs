//! Read-only views of the current state.

pub mod health;
