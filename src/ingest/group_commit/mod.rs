//! Group commit: deliveries that arrive while a flush is under way share the next one, and nobody is told yes before
//! the commit. (ADR 0005)
//!
//! ```text
//!  store() --> queue --+--> flusher --+--> INSERT, own connection --> new: answered
//!                      +--> flusher --+                           \-> known: queue --> flusher --> repeat: answered
//! ```
//!
//! There is no timer: with nothing to wait for, a delivery is a batch of its own.

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

pub use self::budget::{MemoryBudget, Reservation};
pub use self::failure::NotDurable;
use self::flusher::{Insert, Shared};
use self::queue::{PendingInsert, Queue};
use crate::base::liveness::Liveness;
use crate::base::metrics::Metrics;
pub use crate::ingest::inbox::arrivals::store::durability;
use crate::ingest::inbox::arrivals::{NewArrival, Receipt};
use leaver_core::domain::DeliveryId;
use leaver_core::signature::VerifiedDelivery;

/// How many flushes are under way at a time; ADR 0005 has the measurements.
const FLUSHERS: usize = 3;

/// A flusher that a bug has ended starts again after this.
const RESTART: Duration = Duration::from_millis(100);

/// How much is reservation, and how long.
#[derive(Clone, Copy, Debug)]
pub struct QueueLimits {
    /// Deliveries that wait for a flush.
    pub waiting: usize,
    /// Bytes of bodies in flight, from the first one read to the answer.
    pub bytes: usize,
    /// From a delivery's arrival until its sender is told to come again.
    pub patience: Duration,
}

/// How many deliveries may wait where nobody says otherwise: some seconds' worth.
pub const DEFAULT_MAX_PENDING: usize = 16_384;

/// Why a delivery is not stored. Its sender should come again in each case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// As much as may wait waits already.
    #[error("too many deliveries wait")]
    Full,
    /// The database was not there in time.
    #[error("the database did not take it in time")]
    TimedOut,
    /// The database took its neighbours and not this one.
    #[error("the database refuses it")]
    Refused,
    /// A bug ended the flush; it may be stored or not.
    #[error("a bug ended the flush")]
    Abandoned,
}

/// The way into the inbox, shared by all requests.
#[derive(Clone, Debug)]
pub struct GroupCommit {
    shared: Arc<Shared>,
    budget: MemoryBudget,
    liveness: Arc<Liveness>,
    patience: Duration,
    flushers: TaskTracker,
}

impl GroupCommit {
    /// Starts the flushers. They connect when there is something to write.
    #[must_use]
    pub fn open(
        options: &PgConnectOptions,
        limits: QueueLimits,
        stored: Arc<Notify>,
        metrics: Arc<Metrics>,
        liveness: Arc<Liveness>,
    ) -> Self {
        let response_timeout = limits.patience / 2;
        // Postgres gives up before we do, so that no statement of a connection that we have left goes on for long.
        let statement_timeout = (response_timeout * 3 / 4).as_millis().max(1);
        let options = options
            .clone()
            .options([("statement_timeout", statement_timeout.to_string())]);
        let shared = Arc::new(Shared {
            arrived: Queue::with_room_for(limits.waiting),
            known: Queue::with_room_for(limits.waiting),
            connect_timeout: limits.patience / 4,
            response_timeout,
            options,
            stored,
            metrics,
        });
        let intake = Self {
            shared: Arc::clone(&shared),
            budget: MemoryBudget::new(limits.bytes),
            liveness,
            patience: limits.patience,
            flushers: TaskTracker::new(),
        };
        for work in [Insert::New; FLUSHERS]
            .into_iter()
            .chain([Insert::Duplicate])
        {
            let shared = Arc::clone(&shared);
            let run = move || flusher::run(Arc::clone(&shared), work);
            intake.flushers.spawn(supervise(run));
        }
        intake
    }

    /// The memory that bodies in flight share.
    #[must_use]
    pub fn budget(&self) -> &MemoryBudget {
        &self.budget
    }

    /// Writes a delivery down, and returns once that is committed. When this is dropped, it is written all the same.
    ///
    /// # Errors
    /// [`StoreError`]; after [`QueueLimits::patience`] at the latest.
    pub async fn store(
        &self,
        delivery: VerifiedDelivery,
        received_at: DateTime<Utc>,
        reservation: Reservation,
    ) -> Result<Receipt, StoreError> {
        let deadline = Instant::now() + self.patience;
        let (answer, answered) = oneshot::channel();
        let arrival = NewArrival {
            id: DeliveryId(Uuid::now_v7()),
            delivery,
            received_at,
        };
        let waiting = PendingInsert {
            arrival,
            deadline,
            answer,
            reservation,
        };
        self.shared.arrived.push(waiting);
        let _waits = self.liveness.sender_waits();
        self.shared.metrics.lined_up(self.shared.arrived.len());
        match timeout_at(deadline, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(StoreError::Abandoned),
            Err(_) => Err(StoreError::TimedOut),
        }
    }

    /// Lets nothing in any more, and returns once all that waits is written or given up.
    pub async fn close(&self) {
        self.flushers.close();
        self.shared.arrived.close();
        // What is found to be known lines up once more.
        while self.flushers.len() > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.shared.known.close();
        self.flushers.wait().await;
    }
}

/// Runs a flusher, and runs it again should a bug end it. Whoever waited for its batch is told to come again.
async fn supervise<F>(run: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    while tokio::spawn(run()).await.is_err() {
        error!("intake.supervise: a flusher ended with a bug; it starts again");
        tokio::time::sleep(RESTART).await;
    }
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
