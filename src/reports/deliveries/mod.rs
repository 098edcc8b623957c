//! Deliveries as the inbox holds them, without their bodies.

pub(crate) mod store;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

/// One delivery without its body.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DeliverySummary {
    /// Delivery ID, as in the response to the sender.
    pub id: Uuid,
    /// Source that sent it.
    pub source: String,
    /// Time of arrival.
    pub received_at: DateTime<Utc>,
    /// `pending`, `processed`, `ignored` or `failed`.
    pub state: String,
    /// Number of failed attempts to process it.
    pub attempts: i32,
    /// Time at which it was processed, ignored or given up.
    pub processed_at: Option<DateTime<Utc>>,
    /// Size of the body on arrival, in bytes.
    pub body_bytes: i32,
    /// Why it was ignored or could not be processed.
    pub reason: Option<String>,
    /// Number of employees by outcome, such as `{"deactivated": 2}`.
    pub outcome: Option<serde_json::Value>,
}
