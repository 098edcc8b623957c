//! Read-only views of the current state.

pub mod employees;
pub mod health;
