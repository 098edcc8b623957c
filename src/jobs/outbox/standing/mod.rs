//! The state of a destination: failures in a row, and whether it is paused.

pub(super) mod store;

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A row of `leaver.destinations`.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    /// Failed attempts in a row.
    pub(super) failures: i32,
    /// Since when it is paused.
    pub(super) paused_at: Option<DateTime<Utc>>,
    /// Why it is paused.
    pub(super) paused_because: Option<String>,
    /// When a paused destination is tried again.
    pub(super) probe_at: Option<DateTime<Utc>>,
    /// The event that was last tried while it was paused. The next pause goes on after it, so that events that are always refused
    /// do not keep the others.
    pub(super) probed_event: Option<Uuid>,
    /// Nothing is sent before.
    pub(super) wait_until: Option<DateTime<Utc>>,
    /// When it last received something.
    pub(super) last_delivered_at: Option<DateTime<Utc>>,
    /// When an attempt last failed.
    pub(super) last_failed_at: Option<DateTime<Utc>>,
    /// Status of the last response.
    pub(super) last_status: Option<i32>,
    /// Why the last attempt failed.
    pub(super) last_error: Option<String>,
    /// When a digest was last sent.
    pub(super) last_digest_at: Option<DateTime<Utc>>,
}

/// When something can be sent to a destination.
#[derive(Clone, Debug)]
pub(super) struct Outlook {
    /// Since when it is paused.
    pub(super) paused_at: Option<DateTime<Utc>>,
    /// When a paused destination is tried again.
    pub(super) probe_at: Option<DateTime<Utc>>,
    /// Nothing is sent before.
    pub(super) wait_until: Option<DateTime<Utc>>,
    /// When a digest was last sent.
    pub(super) last_digest_at: Option<DateTime<Utc>>,
    /// When the first event is due; `None` if none waits. It may wait for an earlier one, or be leased.
    pub(super) first_due: Option<DateTime<Utc>>,
}

impl Outlook {
    /// Returns when a claim can find something; `None` if no event waits.
    pub(super) fn opens_at(&self) -> Option<DateTime<Utc>> {
        let first_due = self.first_due?;
        // A paused destination is tried with any event.
        let due = if self.paused_at.is_some() {
            self.probe_at
        } else {
            Some(first_due)
        };
        due.max(self.wait_until)
    }
}

impl State {
    /// Returns whether nothing is to be sent now.
    pub(super) fn is_closed(&self, now: DateTime<Utc>) -> bool {
        self.paused_at.is_some() || self.wait_until.is_some_and(|until| until > now)
    }

    /// Ends a pause, and a wait that the destination asked for.
    pub(super) fn resume(&mut self) {
        self.failures = 0;
        self.paused_at = None;
        self.paused_because = None;
        self.probe_at = None;
        self.wait_until = None;
    }
}
