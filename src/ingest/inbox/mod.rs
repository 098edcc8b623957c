//! The inbox: every delivery that arrived, and its state. A delivery is stored before it is parsed. A failed delivery is
//! a dead letter: it is not retried until `replay`. A processed one of which some entries could not be read keeps its body
//! as long, and can be replayed too.
//!
//! ```text
//!                        +--> processed
//!  (insert) --> pending -+--> ignored          same body signed later, without event times: pending
//!                  ^     +--> failed --+
//!                  +-------- replay ---+       processed with bad entries: replay too
//! ```
//!
//! This module never parses a body.

pub mod arrivals;
pub(crate) mod retention;
pub mod store;
pub(crate) mod in_flight;
pub(crate) mod queries;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Serialize;

use leaver_core::domain::DeliveryId;

/// A delivery to be processed. Its row is locked until the transaction that loaded it ends.
#[derive(Clone)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// The source, as configured when it arrived.
    pub source: String,
    /// The time in the signed headers, if the provider sends one.
    pub signed_at: Option<DateTime<Utc>>,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// The raw bytes.
    pub body: Bytes,
    /// How often processing failed.
    pub attempts: i32,
    /// True if it must be processed with nothing else in flight, since a process died while processing it.
    pub isolated: bool,
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery")
            .field("id", &self.id)
            .field("source", &self.source)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl Delivery {
    /// Returns true if it is processed in a batch of its own.
    pub(crate) fn is_large(&self) -> bool {
        self.body.len() > SMALL_BODY_BYTES
    }
}

/// Bodies up to this size are processed together. A larger one can name thousands of employees, so it is processed alone,
/// and one at a time in a process.
pub(crate) const SMALL_BODY_BYTES: usize = 16 * 1024;

/// Employee ids as the text of a Postgres array. A list of a million takes a few megabytes so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmployeeIds(String);

impl EmployeeIds {
    /// Returns these ids.
    pub(crate) fn of<'i>(ids: impl IntoIterator<Item = &'i str>) -> Self {
        let mut text = String::from("{");
        for id in ids {
            if text.len() > 1 {
                text.push(',');
            }
            text.push('"');
            for character in id.chars() {
                if matches!(character, '\\' | '"') {
                    text.push('\\');
                }
                text.push(character);
            }
            text.push('"');
        }
        text.push('}');
        Self(text)
    }
}

/// The result of processing a delivery, to be stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Settlement {
    /// The delivery.
    pub id: DeliveryId,
    /// Its final state.
    pub end: DeliveryOutcome,
    /// The employees that it names, by the provider's ids; `None` if they could not be read.
    pub employee_ids: Option<EmployeeIds>,
}

/// The final state of a delivery.
#[derive(Clone, Debug, PartialEq)]
pub enum DeliveryOutcome {
    /// Parsed and applied.
    Processed {
        /// The number of employees per outcome, as `{"deactivated": 1}`.
        outcome: serde_json::Value,
        /// True if every entry of the body has a time of its own.
        has_event_times: bool,
        /// Which entries could not be read; `None` if all could. The body is then kept, as that of a failed delivery.
        bad_entries: Option<String>,
    },
    /// Parsed, and not relevant to us.
    Ignored {
        /// Why it is not relevant.
        reason: String,
        /// False if it may have an entry without a time of its own, which another configuration would read.
        has_event_times: bool,
    },
    /// No entry of it could be read, or processing failed too often. Its body is kept for a while; `replay` processes it again.
    Failed {
        /// The problem, without any part of the body.
        reason: String,
        /// False if it may have an entry without a time of its own.
        has_event_times: bool,
    },
}

impl DeliveryOutcome {
    /// Returns whether every entry of the body has a time of its own, as far as that could be determined.
    pub(crate) fn has_event_times(&self) -> bool {
        match self {
            Self::Processed {
                has_event_times, ..
            }
            | Self::Ignored {
                has_event_times, ..
            }
            | Self::Failed {
                has_event_times, ..
            } => *has_event_times,
        }
    }

    /// Returns true if the same body, signed later, may carry new facts.
    #[must_use]
    pub(crate) fn may_carry_new_facts(&self) -> bool {
        matches!(
            self,
            Self::Processed {
                has_event_times: false,
                ..
            }
        )
    }
}

/// The result of `replay` for one id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Replay {
    /// It will be processed again.
    Queued,
    /// It is pending already.
    AlreadyPending,
    /// Its body was deleted when it was settled or expired.
    BodyGone,
    /// No delivery has this id.
    Unknown,
}
