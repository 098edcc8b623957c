#![doc = "The pure part of Leaver: who sent a delivery, what it contains and what follows from it."]
//!
//! Nothing here does I/O, reads a clock, logs or is asynchronous. Time is an argument. The service in the crate
//! `leaver` supplies both and carries out what is decided here.

pub mod domain;
pub mod signature;
pub mod providers;
pub mod decision;
