//! The last answer that a person gave about an employee.

pub(crate) mod store;

use chrono::{DateTime, Utc};

/// A hold that a person approved or rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The ID of the hold.
    pub hold: i64,
    /// False if the hold was made with its answer: an undo does so, and an accepted plan.
    pub was_asked: bool,
    /// True if it was approved, false if it was rejected.
    pub is_approved: bool,
    /// When it was answered.
    pub at: DateTime<Utc>,
    /// Who answered, as `kind:name`.
    pub by: String,
    /// The requested change: `deactivate` or `reactivate`.
    pub requested_action: String,
    /// Why it was requested.
    pub reason: String,
}
