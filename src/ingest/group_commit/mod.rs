//! Group commit: deliveries that arrive during a flush join the next one. No request is acknowledged before its commit
//! (ADR 0005).
//!
//! ```text
//!  store() --> queue --+--> flusher --+--> INSERT --> new: acknowledged
//!                      +--> flusher --+          \-> duplicate: queue --> flusher --> UPDATE: acknowledged
//! ```
//!
//! There is no timer: without a flush in progress, a delivery is a batch of its own. Each flusher has its own connection.

mod budget;
mod connection;
mod failure;
mod flusher;
mod queue;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;
use tracing::error;
use uuid::Uuid;

pub(crate) use self::budget::{MemoryBudget, Reservation};
pub(crate) use self::failure::NotDurable;
use self::flusher::{Insert, Shared};
use self::queue::{PendingInsert, Queue};
use crate::base::liveness::Liveness;
use crate::base::metrics::Metrics;
use crate::base::panics::catch_panic;
use crate::db::backends::Backends;
use crate::db::lineage::Memory;
pub use crate::ingest::inbox::arrivals::store::durability;
use crate::ingest::inbox::arrivals::{NewArrival, Receipt};
use crate::ingest::store_signs::StoreSigns;
use leaver_core::domain::DeliveryId;
use leaver_core::signature::VerifiedDelivery;

/// Flushes of new deliveries at the same time; ADR 0005 has the measurements.
const FLUSHERS: usize = 3;

/// The wait before a flusher that panicked is restarted.
const RESTART_DELAY: Duration = Duration::from_millis(100);

/// Limits of deliveries that are not stored yet.
#[derive(Clone, Copy, Debug)]
pub struct QueueLimits {
    /// Deliveries that wait for a flush, per queue.
    pub max_pending: usize,
    /// Bytes of bodies in flight, from the first one read to the response.
    pub max_bytes: usize,
    /// The time from a delivery's arrival until its request fails. A quarter of it is the time limit for opening a
    /// connection, half of it that for a statement.
    pub store_timeout: Duration,
}

/// The default of [`QueueLimits::max_pending`], enough for a few seconds.
pub(crate) const DEFAULT_MAX_PENDING: usize = 16_384;

/// Why a delivery is not stored. In each case the sender should retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The queue is full or closed.
    #[error("too many deliveries are pending")]
    Full,
    /// The database did not store it in time. It may still be stored.
    #[error("the database did not store the delivery in time")]
    TimedOut,
    /// The database refuses this delivery, though not the others of its batch.
    #[error("the database refuses the delivery")]
    Refused,
    /// A bug ended the flush. The delivery may be stored or not.
    #[error("a bug: the flusher panicked")]
    Abandoned,
}

/// Stores deliveries in the inbox; shared by all requests.
#[derive(Clone, Debug)]
pub struct GroupCommit {
    shared: Arc<Shared>,
    budget: MemoryBudget,
    liveness: Arc<Liveness>,
    store_timeout: Duration,
    flushers: TaskTracker,
}

impl GroupCommit {
    /// Starts the flushers. They connect with the first delivery.
    #[must_use]
    pub fn open(
        backends: &Backends,
        limits: QueueLimits,
        stored: Arc<Notify>,
        metrics: Arc<Metrics>,
        liveness: Arc<Liveness>,
        lineage: Arc<Memory>,
    ) -> Self {
        let response_timeout = limits.store_timeout / 2;
        let shared = Arc::new(Shared {
            new: Queue::with_capacity(limits.max_pending),
            duplicates: Queue::with_capacity(limits.max_pending),
            connect_timeout: limits.store_timeout / 4,
            response_timeout,
            backends: backends.clone(),
            connects_early: watch::Sender::new(false),
            stored,
            metrics,
            lineage,
            signs: Arc::default(),
        });
        let group_commit = Self {
            shared: Arc::clone(&shared),
            budget: MemoryBudget::new(limits.max_bytes),
            liveness,
            store_timeout: limits.store_timeout,
            flushers: TaskTracker::new(),
        };
        for insert in [Insert::New; FLUSHERS]
            .into_iter()
            .chain([Insert::Duplicate])
        {
            let shared = Arc::clone(&shared);
            let run = move || flusher::run(Arc::clone(&shared), insert);
            group_commit.flushers.spawn(supervise(run));
        }
        group_commit
    }

    /// Opens the connections now, so that receiving has its share before anything else connects.
    pub fn connect_early(&self) {
        self.shared.connects_early.send_replace(true);
    }

    /// Returns the memory budget of bodies in flight.
    #[must_use]
    pub fn budget(&self) -> &MemoryBudget {
        &self.budget
    }

    /// Returns what the last attempts showed.
    pub(crate) fn signs(&self) -> &Arc<StoreSigns> {
        &self.shared.signs
    }

    /// Stores a delivery and returns after the commit. If the future is dropped, the delivery is stored all the same.
    ///
    /// # Errors
    /// [`StoreError`], after [`QueueLimits::store_timeout`] at the latest.
    pub async fn store(
        &self,
        delivery: VerifiedDelivery,
        received_at: DateTime<Utc>,
        reservation: Reservation,
    ) -> Result<Receipt, StoreError> {
        let deadline = Instant::now() + self.store_timeout;
        let (result, completed) = oneshot::channel();
        let arrival = NewArrival {
            id: DeliveryId(Uuid::now_v7()),
            delivery,
            received_at,
        };
        let pending = PendingInsert {
            arrival,
            deadline,
            result,
            reservation,
        };
        self.shared.new.push(pending);
        let _waits = self.liveness.sender_waiting();
        self.shared.metrics.set_queue_length(self.shared.new.len());
        match timeout_at(deadline, completed).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(StoreError::Abandoned),
            Err(_) => Err(StoreError::TimedOut),
        }
    }

    /// Refuses new deliveries, and returns once all pending ones are stored or have failed.
    pub async fn close(&self) {
        self.flushers.close();
        self.shared.new.close();
        // Duplicates found by these flushers go to the other queue, so it is closed last.
        while self.flushers.len() > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.shared.duplicates.close();
        self.flushers.wait().await;
    }
}

/// Runs a flusher, and restarts it if it panics. The requests of its batch fail then.
async fn supervise<F: Future<Output = ()>>(run: impl Fn() -> F) {
    while catch_panic(run()).await.is_err() {
        error!("group_commit.supervise: a bug ended a flusher; restarting it");
        tokio::time::sleep(RESTART_DELAY).await;
    }
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
