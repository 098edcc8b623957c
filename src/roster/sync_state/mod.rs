//! How complete the roster is: how the last read of each source's API went. What is not there means something
//! only as far as these say that everything was read.

pub mod store;

use chrono::{DateTime, Utc};

use leaver_core::domain::SourceName;

/// How the reads of one source, or of one linked account of it, stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncState {
    /// The source.
    pub source: SourceName,
    /// Merge's linked account; empty at BambooHR.
    pub linked_account_id: String,
    /// When the last complete read began.
    pub last_complete_started_at: Option<DateTime<Utc>>,
    /// When the last complete read of everybody began.
    pub last_full_started_at: Option<DateTime<Utc>>,
    /// When the last read began, complete or not.
    pub last_started_at: DateTime<Utc>,
    /// When the last complete read ended.
    pub last_completed_at: Option<DateTime<Utc>>,
    /// Why the last read was incomplete; `None` when it was complete.
    pub incomplete: Option<String>,
    /// How many records the last read brought.
    pub employees: i64,
}
