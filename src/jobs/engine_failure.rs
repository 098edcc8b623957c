//! Wraps the failures that the engine still reports as text.

/// A failure that the engine reports as text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EngineFailure(pub(crate) String);
