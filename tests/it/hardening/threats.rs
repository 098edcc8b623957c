//! The threat model names tests that exist.
