//! Takes whatever waits, writes it down in one statement, and answers once that is committed.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tracing::{debug, error, warn};

use super::StoreError;
use super::connection::ReconnectingConnection;
use super::failure::{is_about_the_data, plain_cause, sqlstate};
use super::queue::{BatchLimit, PendingInsert, Queue};
use crate::base::failpoints;
use crate::base::metrics::Metrics;
use crate::ingest::inbox::arrivals::{NewArrival, Receipt, store};
use leaver_core::domain::DeliveryId;

/// More rows gain nothing, and make a split longer.
const BATCH: BatchLimit = BatchLimit {
    rows: 512,
    bytes: 4 * 1024 * 1024,
};

/// What every flusher shares.
#[derive(Debug)]
pub(super) struct Shared {
    /// What may be new.
    pub(super) arrived: Queue,
    /// What was there already.
    pub(super) known: Queue,
    /// For a connection to be made.
    pub(super) connect_timeout: Duration,
    /// For a statement to be answered.
    pub(super) response_timeout: Duration,
    pub(super) options: PgConnectOptions,
    /// Tells the working half that something was stored.
    pub(super) stored: Arc<Notify>,
    pub(super) metrics: Arc<Metrics>,
}

/// Which of the two queues a flusher empties. Repetitions may have to wait for the worker, and nothing new shall wait
/// with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Insert {
    New,
    Duplicate,
}

/// Flushes until its queue is closed and empty.
pub(super) async fn run(shared: Arc<Shared>, work: Insert) {
    let queue = match work {
        Insert::New => &shared.arrived,
        Insert::Duplicate => &shared.known,
    };
    let mut flusher = Flusher {
        line: ReconnectingConnection::new(shared.options.clone(), shared.connect_timeout),
        shared: &shared,
        work,
    };
    while let Some(batch) = queue.take(BATCH).await {
        shared.metrics.lined_up(shared.arrived.len());
        flusher.flush(batch).await;
    }
}

struct Flusher<'a> {
    shared: &'a Shared,
    work: Insert,
    line: ReconnectingConnection,
}

/// Where deliveries are, in the order of their batch: under an id, or not known.
type Places = Vec<Option<DeliveryId>>;

impl Flusher<'_> {
    /// Answers everybody in the batch. Where a row is refused, the batch is split until it stands alone.
    async fn flush(&mut self, batch: Vec<PendingInsert>) {
        let mut parts = vec![batch];
        while let Some(mut part) = parts.pop() {
            match self.write(&mut part).await {
                Ok(places) => self.answer(part, places),
                Err(_) if part.len() > 1 => {
                    let second = part.split_off(part.len() / 2);
                    parts.extend([second, part]);
                }
                Err(refused) => {
                    let code = sqlstate(&refused);
                    error!(
                        code,
                        "intake.flush: the database refuses one delivery; answered 503. Look at the triggers and constraints on leaver.deliveries"
                    );
                    for waiting in part {
                        waiting.complete(Err(StoreError::Refused));
                    }
                }
            }
        }
    }

    /// One statement for the batch, again and again while the database is not there, less those whose time is up.
    ///
    /// # Errors
    /// That of a row which the database will never take.
    async fn write(&mut self, batch: &mut Vec<PendingInsert>) -> Result<Places, sqlx::Error> {
        loop {
            let now = Instant::now();
            let late = batch.extract_if(.., |waiting| waiting.deadline <= now);
            late.for_each(|waiting| waiting.complete(Err(StoreError::TimedOut)));
            if batch.is_empty() {
                return Ok(vec![]);
            }
            match self.attempt(batch).await {
                Ok(places) => {
                    self.line.reset_backoff();
                    self.shared.metrics.flushed(batch.len(), now.elapsed());
                    return Ok(places);
                }
                Err(Some(refused)) if is_about_the_data(&refused) => return Err(refused),
                Err(failed) => {
                    let cause = failed
                        .as_ref()
                        .map_or_else(|| "no answer in time".to_owned(), plain_cause);
                    warn!(
                        deliveries = batch.len(),
                        cause,
                        "intake.flush: cannot store now; deliveries are reservation and tried again"
                    );
                    self.shared.metrics.flush_failed();
                    self.line.discard().await;
                }
            }
        }
    }

    /// `None` as an error when there was no answer in time.
    async fn attempt(&mut self, batch: &[PendingInsert]) -> Result<Places, Option<sqlx::Error>> {
        let arrivals: Vec<&NewArrival> = batch.iter().map(|waiting| &waiting.arrival).collect();
        let work = self.work;
        let conn = self.line.connection().await?;
        let bodies = || arrivals.iter().map(|arrival| &arrival.delivery.body()[..]);
        failpoints::reach("before_flush", bodies());
        let written = async {
            match work {
                Insert::New => {
                    let written = store::insert(conn, &arrivals).await?;
                    let place =
                        |arrival: &&NewArrival| Some(arrival.id).filter(|id| written.contains(id));
                    Ok(arrivals.iter().map(place).collect())
                }
                Insert::Duplicate => store::record_repeats(conn, &arrivals).await,
            }
        };
        match timeout(self.shared.response_timeout, written).await {
            Ok(written) => {
                let written = written.map_err(Some)?;
                failpoints::reach("after_commit_before_reply", bodies());
                Ok(written)
            }
            Err(_) => Err(None),
        }
    }

    fn answer(&self, batch: Vec<PendingInsert>, places: Places) {
        self.shared.stored.notify_one();
        for (waiting, place) in batch.into_iter().zip(places) {
            match (place, self.work) {
                (Some(id), _) => {
                    let duplicate = id != waiting.arrival.id;
                    waiting.complete(Ok(Receipt { id, duplicate }));
                }
                (None, Insert::New) => self.shared.known.push(waiting),
                (None, Insert::Duplicate) => {
                    debug!("intake.flush: a delivery went while it came again; answered 503");
                    waiting.complete(Err(StoreError::TimedOut));
                }
            }
        }
    }
}
