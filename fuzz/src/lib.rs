//! The properties that the fuzz targets check, one module per target. Its `check` panics if a property does not hold.
//!
//! `tests/it/fuzzing.rs` compiles these modules too and runs them over every input in the repository.

pub mod answers;
pub mod bamboohr;
pub mod config;
pub mod dates;
pub mod form;
pub mod merge;
pub mod signature;
mod sound;
