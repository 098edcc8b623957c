//! The result of the last sync of each source. Only after a complete read does a missing employee mean anything.

pub(crate) mod store;

use chrono::{DateTime, Utc};

use leaver_core::domain::SourceName;

/// The way in which employees are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReadWay {
    /// `report`, `dataset` or `single`.
    pub way: String,
    /// Why no better way was used.
    pub because: String,
}

/// The sync state of one source, or of one of its linked accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyncState {
    /// The source.
    pub source: SourceName,
    /// Merge's linked account; empty for BambooHR.
    pub linked_account_id: String,
    /// When the last complete read began.
    pub last_complete_started_at: Option<DateTime<Utc>>,
    /// When the last complete full read began.
    pub last_full_started_at: Option<DateTime<Utc>>,
    /// When the last read began, complete or not.
    pub last_started_at: DateTime<Utc>,
    /// When the last complete read ended.
    pub last_completed_at: Option<DateTime<Utc>>,
    /// Why the last read was incomplete; `None` if it was complete.
    pub incomplete: Option<String>,
    /// The number of records in the last read.
    pub employees: i64,
    /// How they were read, where there are several ways.
    pub read_way: Option<ReadWay>,
}
