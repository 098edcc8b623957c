//! Who changed: when a change counts as one.

mod changed;

const DANA: &str = "dana@example.com";
