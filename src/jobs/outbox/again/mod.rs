//! Sends events again on a person's word: dead ones, recorded ones, and those of a paused destination.

pub(crate) mod store;

use serde::Serialize;
use uuid::Uuid;

/// The result for one event at one destination.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Retried {
    /// The event.
    pub(crate) event: Uuid,
    /// The destination; `None` for an unknown event.
    pub(crate) destination: Option<String>,
    /// Effect of the retry.
    pub(crate) result: RetryResult,
}

/// Effect of a retry on one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, strum::EnumString)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub(crate) enum RetryResult {
    /// It is due now.
    Due,
    /// The destination has it already; it stays as it is.
    AlreadySent,
    /// There is no such event for it.
    Unknown,
}
