//! What must hold of any input, one module per fuzz target: its `check` panics when something does not. The
//! service's own tests compile these modules too and run them over every input in the tree.

pub mod answers;
pub mod bamboohr;
pub mod config;
pub mod dates;
pub mod form;
pub mod merge;
pub mod signature;
mod sound;
