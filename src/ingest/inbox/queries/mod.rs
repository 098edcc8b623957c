//! Read-only queries of the inbox, for health, commands and comparisons.

pub(crate) mod store;

use chrono::{DateTime, Utc};
use serde::Serialize;

use leaver_core::domain::{DeliveryId, EmployeeId, SourceName};

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

/// A stored delivery with its employees.
#[derive(Clone, Debug)]
pub(crate) struct ArrivedDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// The provider's ids of its employees. Without them it is not settled, or could not be read.
    pub employee_ids: Option<Vec<EmployeeId>>,
}
