//! What arrived, and what became of it. A delivery is written down before anybody tries to understand it.
//!
//! ```text
//!                        +--> processed
//!  (insert) --> pending -+--> ignored          same body again, without event times, signed later: pending
//!                  ^     +--> failed --+
//!                  +-------- replay ---+
//! ```
//!
//! This room does not look into a body.

pub mod arrivals;
pub mod retention;
pub mod store;
pub mod in_flight;
pub mod queries;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Serialize;

use leaver_core::domain::{DeliveryId, EmployeeId};

/// A delivery to be processed; its row is locked while this is alive in a transaction.
#[derive(Clone)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// Who sent it, as configured when it arrived.
    pub source: String,
    /// Its `Content-Type`.
    pub content_type: Option<String>,
    /// The time that the sender signed.
    pub signed_at: Option<DateTime<Utc>>,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// Its raw bytes.
    pub body: Bytes,
    /// How often processing it has failed.
    pub attempts: i32,
    /// Whether it is to be taken with nothing else in hand: the process has ended while it was.
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

/// How a delivery ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Settlement {
    /// Which delivery.
    pub id: DeliveryId,
    /// How it ended.
    pub end: DeliveryOutcome,
    /// Whom it named, by the sender's ids; `None` when that could not be read.
    pub employee_ids: Option<Vec<EmployeeId>>,
}

/// The ways a delivery can end.
#[derive(Clone, Debug, PartialEq)]
pub enum DeliveryOutcome {
    /// Understood and carried out.
    Processed {
        /// How many employees ended how.
        outcome: serde_json::Value,
        /// Whether each entry of the body bore its own time.
        has_event_times: bool,
    },
    /// Understood, and not for us.
    Ignored {
        /// What it was.
        reason: String,
    },
    /// Not understood, or failed too often; kept for a while and brought back by `replay`.
    Failed {
        /// What is wrong; never a part of the body.
        reason: String,
    },
}

impl DeliveryOutcome {
    /// Whether the same body, signed later, may say something new.
    #[must_use]
    pub fn may_carry_new_facts(&self) -> bool {
        matches!(
            self,
            Self::Processed {
                has_event_times: false,
                ..
            }
        )
    }
}

/// What `replay` did with one id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Replay {
    /// It will be processed again.
    Queued,
    /// It waits already.
    AlreadyPending,
    /// Its body is gone, since it was settled.
    BodyGone,
    /// There is no such delivery.
    Unknown,
}
