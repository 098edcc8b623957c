//! The result of the last sync of each source. Only after a complete read does a missing employee mean anything.

pub mod store;

use chrono::{DateTime, Utc};

use leaver_core::domain::SourceName;

/// The sync state of one source, or of one of its linked accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncState {
    /// The source.
    pub source: SourceName,
    /// Merge's linked account; empty for BambooHR.
    pub account: String,
    /// When the last complete read began.
    pub complete_from: Option<DateTime<Utc>>,
    /// When the last complete full read began.
    pub full_from: Option<DateTime<Utc>>,
    /// When the last read began, complete or not.
    pub tried_at: DateTime<Utc>,
    /// When the last complete read ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Why the last read was incomplete; `None` if it was complete.
    pub incomplete: Option<String>,
    /// The number of records in the last read.
    pub employees: i64,
}
