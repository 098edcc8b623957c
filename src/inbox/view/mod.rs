//! What waits and what arrived, as people and health see it.

pub mod store;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::domain::SourceName;

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
pub struct Listed {
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
