//! State of the process: its phase, when its main jobs last ran, and how many senders wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::progress::Progress;

/// Phases of a process, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Waits for the database, or migrates it.
    Starting,
    /// Accepts deliveries.
    Ready,
    /// Accepts deliveries and reports that it is not ready, so that load balancers send traffic elsewhere.
    Leaving,
    /// Finishes requests in flight.
    Draining,
}

/// Shared by all parts of one service.
#[derive(Debug, Default)]
pub struct Liveness {
    phase: AtomicU8,
    /// Seconds since the epoch; 0 before the first run.
    deliveries_at: AtomicI64,
    scheduled_ends_at: AtomicI64,
    senders: AtomicUsize,
    /// Rounds of the delivery workers.
    pub(crate) delivery_rounds: Progress,
    /// Rounds of the job of scheduled ends.
    pub(crate) scheduled_end_rounds: Progress,
}

/// More waiting senders than this are an overload: several inserts of usual size.
const OVERLOAD: usize = 64;

/// A sender that waits for its response, until this is dropped.
#[derive(Debug)]
pub struct WaitingSender(Arc<Liveness>);

impl Drop for WaitingSender {
    fn drop(&mut self) {
        self.0.senders.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Liveness {
    /// Returns the phase.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Ready,
            2 => Phase::Leaving,
            _ => Phase::Draining,
        }
    }

    /// Returns whether requests are served: in the phases `Ready` and `Leaving`.
    #[must_use]
    pub fn accepts_requests(&self) -> bool {
        matches!(self.phase(), Phase::Ready | Phase::Leaving)
    }

    /// Enters a phase. An earlier phase than the current one has no effect.
    pub fn enter(&self, phase: Phase) {
        let number = match phase {
            Phase::Starting => 0,
            Phase::Ready => 1,
            Phase::Leaving => 2,
            Phase::Draining => 3,
        };
        self.phase.fetch_max(number, Ordering::AcqRel);
    }

    /// Records that a delivery worker finished a round without an outage.
    pub(crate) fn deliveries_ticked(&self, now: DateTime<Utc>) {
        self.deliveries_at.store(now.timestamp(), Ordering::Relaxed);
    }

    /// Records that the job of scheduled ends finished a round without an error.
    pub(crate) fn scheduled_ends_ticked(&self, now: DateTime<Utc>) {
        let now = now.timestamp();
        self.scheduled_ends_at.store(now, Ordering::Relaxed);
    }

    /// Returns how long a main job has made no progress inside a round. A database that is down does not count: each wait for
    /// it ends after 35 s.
    #[must_use]
    pub(crate) fn stalled_for(&self, now: Instant) -> Duration {
        let jobs = [&self.delivery_rounds, &self.scheduled_end_rounds];
        let stalled = jobs.map(|job| job.stalled_for(now));
        stalled.into_iter().max().unwrap_or_default()
    }

    /// Counts a sender that waits for its response.
    #[must_use]
    pub fn sender_waiting(self: &Arc<Self>) -> WaitingSender {
        self.senders.fetch_add(1, Ordering::Relaxed);
        WaitingSender(Arc::clone(self))
    }

    /// Returns how many senders wait.
    #[must_use]
    pub fn waiting_senders(&self) -> usize {
        self.senders.load(Ordering::Relaxed)
    }

    /// Returns whether more than 64 senders wait.
    #[must_use]
    pub fn is_overloaded(&self) -> bool {
        self.waiting_senders() > OVERLOAD
    }

    /// Returns the seconds since deliveries and scheduled ends last ran, the longer of the two; `None` if one of them has
    /// never run.
    #[must_use]
    pub(crate) fn heartbeat_age_seconds(&self, now: DateTime<Utc>) -> Option<i64> {
        let ran = [&self.deliveries_at, &self.scheduled_ends_at];
        let ran = ran.map(|at| at.load(Ordering::Relaxed));
        if ran.contains(&0) {
            return None;
        }
        ran.iter().map(|at| now.timestamp() - at).max()
    }
}
