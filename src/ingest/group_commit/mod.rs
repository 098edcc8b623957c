//! Group commit: deliveries that arrive during a flush join the next one. No request is acknowledged before its commit.
//! (ADR 0005)
//!
//! ```text
//!  store() --> queue --+--> flusher --+--> INSERT, own connection --> new: answered
//!                      +--> flusher --+                           \-> known: queue --> flusher --> repeat: answered
//! ```
//!
//! There is no timer: a delivery that arrives alone is a batch of its own.

mod budget;
mod connection;
mod failure;
mod flusher;
mod queue;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnectOptions;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;
use tracing::error;
use uuid::Uuid;

pub use self::budget::{Budget, Held};
pub use self::failure::NotDurable;
use self::flusher::{Shared, Work};
use self::queue::{Queue, Waiting};
use crate::base::liveness::Liveness;
use crate::base::metrics::Metrics;
use crate::base::panics::catch_panic;
pub use crate::ingest::inbox::arrivals::store::durability;
use crate::ingest::inbox::arrivals::{Arrival, Receipt};
use leaver_core::domain::DeliveryId;
use leaver_core::signature::VerifiedDelivery;

/// Flushes at a time; ADR 0005 has the measurements.
const FLUSHERS: usize = 3;

/// Before a flusher that panicked starts again.
const RESTART: Duration = Duration::from_millis(100);

/// Limits of the queue.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Deliveries that wait for a flush.
    pub waiting: usize,
    /// Bytes of bodies in flight, from the first one read to the answer.
    pub bytes: usize,
    /// Time limit from the arrival of a delivery to its response.
    pub patience: Duration,
}

/// Default for the length of the queue: deliveries of some seconds.
pub const WAITING: usize = 16_384;

/// Why a delivery is not stored. The sender should retry in each case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The queue is full or closed.
    #[error("the queue of deliveries is full")]
    Full,
    /// The database did not store it within the time limit.
    #[error("the database did not store the delivery in time")]
    InTime,
    /// The database rejects this delivery.
    #[error("the database rejects the delivery")]
    Refused,
    /// The flusher panicked; the delivery may be stored or not.
    #[error("a bug: the flusher panicked")]
    Abandoned,
}

/// Stores deliveries in the inbox. Shared by all requests.
#[derive(Clone, Debug)]
pub struct GroupCommit {
    desk: Arc<Shared>,
    budget: Budget,
    liveness: Arc<Liveness>,
    patience: Duration,
    flushers: TaskTracker,
}

impl GroupCommit {
    /// Starts the flushers. They connect when there is a delivery to store.
    #[must_use]
    pub fn open(
        options: &PgConnectOptions,
        limits: Limits,
        stored: Arc<Notify>,
        metrics: Arc<Metrics>,
        liveness: Arc<Liveness>,
    ) -> Self {
        let answer_within = limits.patience / 2;
        // Shorter than our own limit, so that the statement of a dropped connection ends soon.
        let statement_timeout = (answer_within * 3 / 4).as_millis().max(1);
        let options = options
            .clone()
            .options([("statement_timeout", statement_timeout.to_string())]);
        let desk = Arc::new(Shared {
            arrived: Queue::with_room_for(limits.waiting),
            known: Queue::with_room_for(limits.waiting),
            connect_within: limits.patience / 4,
            answer_within,
            options,
            stored,
            metrics,
        });
        let intake = Self {
            desk: Arc::clone(&desk),
            budget: Budget::of(limits.bytes),
            liveness,
            patience: limits.patience,
            flushers: TaskTracker::new(),
        };
        for work in [Work::Arrived; FLUSHERS].into_iter().chain([Work::Known]) {
            let desk = Arc::clone(&desk);
            let run = move || flusher::run(Arc::clone(&desk), work);
            intake.flushers.spawn(supervise(run));
        }
        intake
    }

    /// The memory that bodies in flight share.
    #[must_use]
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Stores a delivery, and returns once it is committed. It is stored even if this future is dropped.
    ///
    /// # Errors
    /// Returns a [`StoreError`], after [`Limits::patience`] at the latest.
    pub async fn store(
        &self,
        delivery: VerifiedDelivery,
        received_at: DateTime<Utc>,
        held: Held,
    ) -> Result<Receipt, StoreError> {
        let deadline = Instant::now() + self.patience;
        let (answer, answered) = oneshot::channel();
        let arrival = Arrival {
            id: DeliveryId(Uuid::now_v7()),
            delivery,
            received_at,
        };
        let waiting = Waiting {
            arrival,
            deadline,
            answer,
            held,
        };
        self.desk.arrived.push(waiting);
        let _waits = self.liveness.sender_waiting();
        self.desk.metrics.set_queue_length(self.desk.arrived.len());
        match timeout_at(deadline, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(StoreError::Abandoned),
            Err(_) => Err(StoreError::InTime),
        }
    }

    /// Closes the queue, and returns once every queued delivery is stored or has failed.
    pub async fn close(&self) {
        self.flushers.close();
        self.desk.arrived.close();
        // A flusher of new deliveries moves duplicates to the other queue, so that one is closed last.
        while self.flushers.len() > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.desk.known.close();
        self.flushers.wait().await;
    }
}

/// Runs a flusher, and starts it again after a panic. The senders of its batch are answered with an error.
async fn supervise<F: Future<Output = ()>>(run: impl Fn() -> F) {
    while catch_panic(run()).await.is_err() {
        error!("intake.supervise: a flusher panicked; it starts again");
        tokio::time::sleep(RESTART).await;
    }
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
