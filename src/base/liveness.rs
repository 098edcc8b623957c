//! Signs of life that one part of the service leaves for health and for the other half to read.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicUsize, Ordering};

use chrono::{DateTime, Utc};

/// What the process is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Waiting for the database, or migrating it.
    Starting,
    /// Taking deliveries.
    Ready,
    /// Finishing what is in flight.
    Draining,
}

/// Shared by all parts of one service.
#[derive(Debug, Default)]
pub struct Liveness {
    phase: AtomicU8,
    worker_at: AtomicI64,
    timer_at: AtomicI64,
    senders: AtomicUsize,
}

/// More senders than this are a rush: those of several flushes of usual size.
const RUSH: usize = 64;

/// A sender who waits.
#[derive(Debug)]
pub struct SenderWaits(Arc<Liveness>);

impl Drop for SenderWaits {
    fn drop(&mut self) {
        self.0.senders.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Liveness {
    /// What the process is doing.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Ready,
            _ => Phase::Draining,
        }
    }

    /// Enters a phase; draining is never left.
    pub fn enter(&self, phase: Phase) {
        let number = match phase {
            Phase::Starting => 0,
            Phase::Ready => 1,
            Phase::Draining => 2,
        };
        self.phase.fetch_max(number, Ordering::AcqRel);
    }

    /// The worker has finished a round.
    pub fn worker_seen(&self, now: DateTime<Utc>) {
        self.worker_at.store(now.timestamp(), Ordering::Relaxed);
    }

    /// The timer has looked.
    pub fn timer_seen(&self, now: DateTime<Utc>) {
        self.timer_at.store(now.timestamp(), Ordering::Relaxed);
    }

    /// A sender waits for an answer, until this is dropped.
    #[must_use]
    pub fn sender_waits(self: &Arc<Self>) -> SenderWaits {
        self.senders.fetch_add(1, Ordering::Relaxed);
        SenderWaits(Arc::clone(self))
    }

    /// Whether more senders wait than a flush takes.
    #[must_use]
    pub fn in_a_rush(&self) -> bool {
        self.senders.load(Ordering::Relaxed) > RUSH
    }

    /// How long ago worker and timer last showed themselves, the longer of the two, in seconds. `None` while
    /// one of them never has.
    #[must_use]
    pub fn working_half_age_seconds(&self, now: DateTime<Utc>) -> Option<i64> {
        let ages = [&self.worker_at, &self.timer_at].map(|at| at.load(Ordering::Relaxed));
        if ages.contains(&0) {
            return None;
        }
        ages.iter().map(|at| now.timestamp() - at).max()
    }
}
