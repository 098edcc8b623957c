//! Read-only queries of the inbox, for health, commands and comparisons.

pub(crate) mod store;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Serialize;

use leaver_core::domain::{EmployeeId, SourceName};

/// The size of the backlog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Backlog {
    /// Deliveries that are pending.
    pub pending: i64,
    /// The age of the oldest of them in seconds; 0 if there is none.
    pub oldest_seconds: i64,
    /// Deliveries that failed.
    pub failed: i64,
}

/// The newest delivery of a source.
#[derive(Clone, Debug)]
pub(crate) struct LastDelivery {
    /// The source.
    pub source: SourceName,
    /// When it arrived; `None` if there is none.
    pub at: Option<DateTime<Utc>>,
}

/// A stored delivery with its employees, or with the body that names them.
#[derive(Clone)]
pub(crate) struct ArrivedDelivery {
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// The provider's ids of its employees; `None` if it is not settled, or could not be read.
    pub employee_ids: Option<Vec<EmployeeId>>,
    /// Its bytes, if the ids are unknown.
    pub body: Option<Bytes>,
}

impl std::fmt::Debug for ArrivedDelivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ArrivedDelivery")
            .field("received_at", &self.received_at)
            .finish_non_exhaustive()
    }
}
