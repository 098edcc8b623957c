//! The form in which an event is sent.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

/// An event as a destination receives it.
#[derive(Clone, PartialEq, Serialize)]
pub struct Event {
    /// Identifier. It stays the same over all attempts, so that a receiver can drop a repetition.
    pub id: Uuid,
    /// The type, such as `account.deactivated`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened.
    pub timestamp: DateTime<Utc>,
    /// The source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The company.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The provider's id of the employee.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub employee_id: Option<String>,
    /// Number of the event among those of the employee. A receiver can drop an older one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<i64>,
    /// True if the source was in shadow mode; left out otherwise.
    #[serde(skip_serializing_if = "is_false")]
    pub shadow: bool,
    /// The content, without personal values.
    pub data: Map<String, Value>,
    /// Personal values, for destinations with `payload = "full"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Map<String, Value>>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_false(value: &bool) -> bool {
    !value
}

impl std::fmt::Debug for Event {
    /// Leaves out the content: it can be personal.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Event");
        shown.field("id", &self.id).field("kind", &self.kind);
        shown.finish_non_exhaustive()
    }
}
