//! Other inputs of the same classes, by rule of docs/CORRECTNESS.md.

/// Returns the names of all files.
pub(super) fn listed() -> Vec<String> {
    vec![]
}
