//! What waits and what arrived, as people and health see it.

pub mod store;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Serialize;

use leaver_core::domain::{EmployeeId, SourceName};

/// How much waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Backlog {
    /// Deliveries that are not settled.
    pub waiting: i64,
    /// Age of the oldest of them, in seconds.
    pub oldest_seconds: i64,
    /// Deliveries that could not be processed.
    pub parked: i64,
}

/// A delivery as a person sees it in a list: everything but its body.
#[derive(Clone, Debug, Serialize)]
pub struct DeliverySummary {
    /// Its id.
    pub id: uuid::Uuid,
    /// Who sent it.
    pub source: String,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// waiting, processed, ignored or parked.
    pub state: String,
    /// How often processing it has failed.
    pub attempts: i32,
    /// When it was settled.
    pub settled_at: Option<DateTime<Utc>>,
    /// Size of the body as it arrived.
    pub body_bytes: i32,
    /// Why it is ignored or parked.
    pub cause: Option<String>,
    /// How many employees ended how.
    pub outcome: Option<serde_json::Value>,
}

/// When a source last sent something.
#[derive(Clone, Debug)]
pub struct LastDelivery {
    /// The source.
    pub source: SourceName,
    /// When its newest delivery arrived; none when there never was one.
    pub at: Option<DateTime<Utc>>,
}

/// Whom a delivery named, or with what it can still be read.
#[derive(Clone)]
pub struct ArrivedDelivery {
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// The sender's ids of those it named; `None` when it is not settled, or could not be read.
    pub employee_ids: Option<Vec<EmployeeId>>,
    /// Its `Content-Type`.
    pub content_type: Option<String>,
    /// Its bytes, where the ids are not known.
    pub body: Option<Bytes>,
}

impl std::fmt::Debug for ArrivedDelivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ArrivedDelivery")
            .field("received_at", &self.received_at)
            .finish_non_exhaustive()
    }
}
