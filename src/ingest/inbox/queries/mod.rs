//! What waits and what arrived, as people and health see it.

pub mod store;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Serialize;

use leaver_core::domain::{EmployeeId, SourceName};

/// Number of deliveries that need work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Backlog {
    /// Deliveries that are not processed yet.
    pub pending: i64,
    /// Age of the oldest pending delivery in seconds.
    pub oldest_seconds: i64,
    /// Deliveries that could not be processed.
    pub failed: i64,
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
pub struct Arrived {
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// The sender's ids of those it named; `None` when it is not settled, or could not be read.
    pub employee_ids: Option<Vec<EmployeeId>>,
    /// Its `Content-Type`.
    pub content_type: Option<String>,
    /// Its bytes, where the ids are not known.
    pub body: Option<Bytes>,
}

impl std::fmt::Debug for Arrived {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Arrived")
            .field("received_at", &self.received_at)
            .finish_non_exhaustive()
    }
}
