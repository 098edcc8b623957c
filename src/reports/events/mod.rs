//! Events and the destinations that they are sent to. Without personal values and without their content.

pub(crate) mod store;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use uuid::Uuid;

/// An event that waits longer for a destination degrades health.
pub(crate) const MAY_WAIT_FOR: TimeDelta = TimeDelta::minutes(10);
/// An event that is due is sent at once. One that waits for the next digest is not late before this time after it.
pub(crate) const MAY_BE_LATE_BY: TimeDelta = TimeDelta::minutes(1);
/// Events of a destination are counted up to this number and one more, which stands for all above.
pub(crate) const MOST_COUNTED: i64 = 10_000;

/// An event at one destination.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct EventSummary {
    /// Its id, which a receiver sees too.
    pub(crate) id: Uuid,
    /// Its type.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// Source of the employee, or the source that it is about.
    pub(crate) source: Option<String>,
    /// The company.
    pub(crate) tenant: Option<String>,
    /// The provider's id of the employee.
    pub(crate) employee_id: Option<String>,
    /// Number of the event among those of the employee.
    pub(crate) sequence: Option<i64>,
    /// When it happened.
    pub(crate) occurred_at: DateTime<Utc>,
    /// The destination.
    pub(crate) destination: String,
    /// False if the destination is not configured any more: nothing is sent to it.
    pub(crate) is_configured: bool,
    /// `due`, `leased` while it is sent, `done` or `dead`.
    pub(crate) state: String,
    /// Failed attempts.
    pub(crate) attempts: i32,
    /// When it is sent next; `None` once it is done or dead.
    pub(crate) next_at: Option<DateTime<Utc>>,
    /// When it was done or dead.
    pub(crate) finished_at: Option<DateTime<Utc>>,
    /// Status of the last response.
    pub(crate) last_status: Option<i32>,
    /// Why the last attempt failed.
    pub(crate) last_error: Option<String>,
}

/// Which events to list.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventFilter {
    /// Only those of this destination.
    pub(crate) destination: Option<String>,
    /// Only those in this state.
    pub(crate) state: Option<&'static str>,
    /// Only these types.
    pub(crate) types: Option<Vec<&'static str>>,
    /// Only those since this time.
    pub(crate) since: Option<DateTime<Utc>>,
}

/// A configured destination.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DestinationStatus {
    /// Its name.
    #[serde(skip)]
    pub(crate) name: String,
    /// Since when it is paused.
    pub(crate) paused_at: Option<DateTime<Utc>>,
    /// Why it is paused.
    pub(crate) paused_because: Option<String>,
    /// Events that wait for it, at most [`MOST_COUNTED`] + 1.
    pub(crate) pending: i64,
    /// Since when the oldest of them waits.
    pub(crate) oldest_since: Option<DateTime<Utc>>,
    /// Those of them that wait for more than ten minutes, without those that wait for the next digest.
    #[serde(skip)]
    pub(crate) late: i64,
    /// Events whose last attempt failed, at most [`MOST_COUNTED`] + 1.
    pub(crate) dead: i64,
    /// When it last received something.
    pub(crate) last_delivered_at: Option<DateTime<Utc>>,
    /// When an attempt last failed.
    pub(crate) last_failed_at: Option<DateTime<Utc>>,
    /// Why it failed.
    pub(crate) last_error: Option<String>,
}

/// Events for a destination that is not configured any more.
#[derive(Clone, Debug)]
pub(crate) struct Unconfigured {
    /// Its name.
    pub(crate) destination: String,
    /// Events that were not sent to it.
    pub(crate) pending: i64,
}

/// Returns a number of events in words, such as `2 events`.
pub(crate) fn counted(events: i64) -> String {
    match events {
        1 => "1 event".to_owned(),
        more if more > MOST_COUNTED => format!("more than {MOST_COUNTED} events"),
        some => format!("{some} events"),
    }
}
