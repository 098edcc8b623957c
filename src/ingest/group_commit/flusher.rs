//! Takes a batch from the queue, stores it with one statement, and answers the senders after the commit.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tracing::{debug, error, warn};

use super::StoreError;
use super::connection::ReconnectingConnection;
use super::failure::InsertError;
use super::queue::{BatchLimit, Queue, Waiting};
use crate::base::failpoints;
use crate::base::halves::Halves;
use crate::base::metrics::Metrics;
use crate::ingest::inbox::arrivals::{Arrival, Receipt, store};
use leaver_core::domain::DeliveryId;

/// Larger batches are not faster, and take longer to split.
const BATCH: BatchLimit = BatchLimit {
    rows: 512,
    bytes: 4 * 1024 * 1024,
};

/// What every flusher shares.
#[derive(Debug)]
pub(super) struct Shared {
    /// New deliveries.
    pub(super) arrived: Queue,
    /// Duplicates.
    pub(super) known: Queue,
    /// Time limit for a connection.
    pub(super) connect_within: Duration,
    /// Time limit for a statement.
    pub(super) answer_within: Duration,
    pub(super) options: PgConnectOptions,
    /// Wakes the delivery workers.
    pub(super) stored: Arc<Notify>,
    pub(super) metrics: Arc<Metrics>,
}

/// Which queue a flusher takes from. Duplicates may have to wait for the row locks of a delivery worker, and new deliveries must
/// not wait with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Arrived,
    Known,
}

/// Flushes until its queue is closed and empty.
pub(super) async fn run(desk: Arc<Shared>, work: Work) {
    let queue = match work {
        Work::Arrived => &desk.arrived,
        Work::Known => &desk.known,
    };
    let mut flusher = Flusher {
        connection: ReconnectingConnection::new(desk.options.clone(), desk.connect_within),
        desk: &desk,
        work,
    };
    while let Some(batch) = queue.take(BATCH).await {
        desk.metrics.set_queue_length(desk.arrived.len());
        flusher.flush(batch).await;
    }
}

struct Flusher<'a> {
    desk: &'a Shared,
    work: Work,
    connection: ReconnectingConnection,
}

/// The id of each delivery of a batch in the inbox, in order; `None` if it is not there.
type Places = Vec<Option<DeliveryId>>;

/// The SQLSTATE of a row that the database rejects.
struct Rejected(String);

impl Flusher<'_> {
    /// Stores a batch and answers each of its senders. If the database rejects a row, the batch is split until that row is
    /// alone.
    async fn flush(&mut self, batch: Vec<Waiting>) {
        let mut halves = Halves::new(batch);
        while let Some(mut part) = halves.next() {
            let code = match self.write(&mut part).await {
                Ok(places) => {
                    self.answer(part, places);
                    continue;
                }
                Err(Rejected(code)) => code,
            };
            for waiting in halves.split(part).into_iter().flatten() {
                error!(
                    code,
                    "intake.flush: the database rejects one delivery; answered 503. Check triggers and constraints on leaver.deliveries"
                );
                waiting.end(Err(StoreError::Refused));
            }
        }
    }

    /// Stores a batch with one statement, and repeats it while the database is unavailable. Senders whose deadline has
    /// passed are answered and leave the batch.
    ///
    /// # Errors
    /// Returns the SQLSTATE if the database rejects a row.
    async fn write(&mut self, batch: &mut Vec<Waiting>) -> Result<Places, Rejected> {
        loop {
            let now = Instant::now();
            let late = batch.extract_if(.., |waiting| waiting.deadline <= now);
            late.for_each(|waiting| waiting.end(Err(StoreError::InTime)));
            if batch.is_empty() {
                return Ok(vec![]);
            }
            match self.attempt(batch).await {
                Ok(places) => {
                    self.connection.reset_backoff();
                    self.desk.metrics.flushed(batch.len(), now.elapsed());
                    return Ok(places);
                }
                Err(InsertError::Rejected(code)) => return Err(Rejected(code)),
                Err(error) => {
                    warn!(
                        deliveries = batch.len(),
                        cause = %error,
                        "intake.flush: cannot store now; deliveries are kept and retried"
                    );
                    self.desk.metrics.flush_failed();
                    self.connection.discard().await;
                }
            }
        }
    }

    async fn attempt(&mut self, batch: &[Waiting]) -> Result<Places, InsertError> {
        let arrivals: Vec<&Arrival> = batch.iter().map(|waiting| &waiting.arrival).collect();
        let work = self.work;
        let conn = self.connection.connection().await?;
        let bodies = || arrivals.iter().map(|arrival| &arrival.delivery.body()[..]);
        failpoints::reach("before_flush", bodies());
        let written = async {
            match work {
                Work::Arrived => {
                    let written = store::insert(conn, &arrivals).await?;
                    let place =
                        |arrival: &&Arrival| Some(arrival.id).filter(|id| written.contains(id));
                    Ok(arrivals.iter().map(place).collect())
                }
                Work::Known => store::repeat(conn, &arrivals).await,
            }
        };
        match timeout(self.desk.answer_within, written).await {
            Ok(written) => {
                let written: Places = written?;
                failpoints::reach("after_commit_before_reply", bodies());
                Ok(written)
            }
            Err(_) => Err(InsertError::TimedOut),
        }
    }

    fn answer(&self, batch: Vec<Waiting>, places: Places) {
        self.desk.stored.notify_one();
        for (waiting, place) in batch.into_iter().zip(places) {
            match (place, self.work) {
                (Some(id), _) => {
                    let duplicate = id != waiting.arrival.id;
                    waiting.end(Ok(Receipt { id, duplicate }));
                }
                (None, Work::Arrived) => self.desk.known.push(waiting),
                (None, Work::Known) => {
                    debug!(
                        "intake.flush: a delivery was deleted while its duplicate arrived; answered 503"
                    );
                    waiting.end(Err(StoreError::InTime));
                }
            }
        }
    }
}
