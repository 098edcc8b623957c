//! The pure part of Leaver: authenticates deliveries, parses them and decides what to do.
//!
//! Nothing here does I/O, reads a clock, logs or is asynchronous; time is an argument. The crate `leaver` supplies
//! input and time, and executes the decisions.

pub mod domain;
pub mod signature;
pub mod providers;
pub mod decision;
pub mod backtest;
pub mod safeguard;
pub mod undo;
pub mod events;
