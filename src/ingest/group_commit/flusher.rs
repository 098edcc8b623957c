//! Takes pending inserts from a queue, writes them in one statement, and completes each after the commit.

use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};
use tracing::{debug, error, warn};

use super::StoreError;
use super::connection::ReconnectingConnection;
use super::failure::{FlushError, rejected};
use super::queue::{BatchLimit, PendingInsert, Queue};
use crate::base::failpoints;
use crate::base::halves::Halves;
use crate::base::metrics::Metrics;
use crate::db::backends::Backends;
use crate::db::lineage::Memory;
use crate::ingest::inbox::arrivals::{NewArrival, Receipt, store};
use crate::ingest::store_signs::StoreSigns;
use leaver_core::domain::DeliveryId;

/// Larger batches gain nothing, and take longer to split.
const BATCH: BatchLimit = BatchLimit {
    rows: 512,
    bytes: 4 * 1024 * 1024,
};

/// The state that all flushers share.
#[derive(Debug)]
pub(super) struct Shared {
    /// Deliveries that may be new.
    pub(super) new: Queue,
    /// Deliveries whose body is stored already.
    pub(super) duplicates: Queue,
    /// Time limit for opening a connection.
    pub(super) connect_timeout: Duration,
    /// Time limit for the response to a statement.
    pub(super) response_timeout: Duration,
    pub(super) backends: Backends,
    /// True once connections are opened before the first delivery.
    pub(super) connects_early: watch::Sender<bool>,
    /// Notifies the jobs that something was stored.
    pub(super) stored: Arc<Notify>,
    pub(super) metrics: Arc<Metrics>,
    /// Remembers what was acknowledged.
    pub(super) lineage: Arc<Memory>,
    /// For health.
    pub(super) signs: Arc<StoreSigns>,
}

/// The kind of statement that a flusher executes, and so the queue that it takes from.
// Duplicates may have to wait for a job that processes their row; new deliveries must not wait with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Insert {
    New,
    Duplicate,
}

/// Flushes until the queue is closed and empty.
pub(super) async fn run(shared: Arc<Shared>, insert: Insert) {
    let (queue, share) = match insert {
        Insert::New => (&shared.new, &shared.backends.receiving),
        Insert::Duplicate => (&shared.duplicates, &shared.backends.duplicates),
    };
    let mut flusher = Flusher {
        connection: ReconnectingConnection::new(
            share.clone(),
            shared.connect_timeout,
            // Postgres cancels a statement before we discard its connection, so none continues for long afterwards.
            shared.response_timeout * 3 / 4,
            Arc::clone(&shared.lineage),
        ),
        shared: &shared,
        insert,
    };
    let mut early = shared.connects_early.subscribe();
    loop {
        // A flusher that can have no connection must take no delivery from the others.
        tokio::select! {
            () = flusher.connection.reserve() => {}
            () = queue.closed() => {}
        }
        if *early.borrow_and_update() {
            // A failure is repeated with the next delivery.
            drop(flusher.connection.connection().await);
        }
        let batch = tokio::select! {
            batch = queue.take(BATCH) => batch,
            Ok(()) = early.changed() => {
                // The share may have become smaller.
                flusher.connection.release_place();
                continue;
            }
        };
        let Some(batch) = batch else {
            return;
        };
        shared.metrics.set_queue_length(shared.new.len());
        flusher.flush(batch).await;
    }
}

/// Bodies from which on the buffers of the connection are freed after the flush.
const LARGE_BODY_BYTES: usize = 256 * 1024;

struct Flusher<'a> {
    shared: &'a Shared,
    insert: Insert,
    connection: ReconnectingConnection,
}

/// For each delivery of a batch the id under which it is stored; `None` if it was not written.
type StoredIds = Vec<Option<DeliveryId>>;

/// The SQLSTATE of a row that the database rejects.
struct Rejected(String);

impl Flusher<'_> {
    /// Completes every insert of the batch. If the database rejects a row, the batch is split until that row is alone.
    async fn flush(&mut self, batch: Vec<PendingInsert>) {
        let mut halves = Halves::new(batch);
        while let Some(mut part) = halves.next() {
            let code = match self.write(&mut part).await {
                Ok(ids) => {
                    self.complete(part, ids);
                    continue;
                }
                Err(Rejected(code)) => code,
            };
            for pending in halves.split(part).into_iter().flatten() {
                error!(
                    code,
                    "group_commit.flush: the database rejects one delivery, answered 503; check triggers and constraints on leaver.deliveries"
                );
                self.shared.signs.failed(rejected(&code));
                pending.complete(Err(StoreError::Refused));
            }
        }
    }

    /// Writes the batch in one statement, and retries while the database is down. Removes inserts whose deadline passed.
    ///
    /// # Errors
    /// Returns the SQLSTATE if the database rejects a row.
    async fn write(&mut self, batch: &mut Vec<PendingInsert>) -> Result<StoredIds, Rejected> {
        loop {
            let now = Instant::now();
            let expired = batch.extract_if(.., |pending| pending.deadline <= now);
            expired.for_each(|pending| pending.complete(Err(StoreError::TimedOut)));
            if batch.is_empty() {
                return Ok(vec![]);
            }
            match self.attempt(batch).await {
                Ok(ids) => {
                    self.connection.reset_backoff();
                    // A repeated body alone may write nothing.
                    if self.insert == Insert::New && ids.iter().any(Option::is_some) {
                        self.shared.signs.stored();
                    }
                    self.shared.metrics.flushed(batch.len(), now.elapsed());
                    return Ok(ids);
                }
                Err(FlushError::Rejected(code)) => return Err(Rejected(code)),
                Err(cause) => {
                    warn!(
                        deliveries = batch.len(),
                        %cause,
                        "group_commit.flush: cannot store now; will retry"
                    );
                    self.shared.metrics.flush_failed();
                    self.shared.signs.failed(cause.cause());
                    self.connection.discard().await;
                }
            }
        }
    }

    async fn attempt(&mut self, batch: &[PendingInsert]) -> Result<StoredIds, FlushError> {
        let arrivals: Vec<&NewArrival> = batch.iter().map(|pending| &pending.arrival).collect();
        let insert = self.insert;
        let conn = self.connection.connection().await?;
        let bodies = || arrivals.iter().map(|arrival| &arrival.delivery.body()[..]);
        failpoints::reach("before_flush", bodies());
        let written = async {
            match insert {
                Insert::New => {
                    let written = store::insert(conn, &arrivals).await?;
                    let id =
                        |arrival: &&NewArrival| Some(arrival.id).filter(|id| written.contains(id));
                    Ok(arrivals.iter().map(id).collect())
                }
                Insert::Duplicate => store::record_repeats(conn, &arrivals).await,
            }
        };
        let ids = timeout(self.shared.response_timeout, written)
            .await
            .map_err(|_| FlushError::TimedOut)??;
        if bodies().any(|body| body.len() > LARGE_BODY_BYTES) {
            // The connection would keep a buffer of the size of the largest statement.
            conn.shrink_buffers();
        }
        failpoints::reach("after_commit_before_reply", bodies());
        Ok(ids)
    }

    fn complete(&self, batch: Vec<PendingInsert>, ids: StoredIds) {
        self.shared.stored.notify_one();
        if self.insert == Insert::New {
            // Remembered before the response, and only if new: an older row may be deleted at any time.
            let new = batch.iter().zip(&ids).filter(|(_, id)| id.is_some());
            self.shared.lineage.acknowledged(new.map(|(pending, _)| {
                let arrival = &pending.arrival;
                let source = arrival.delivery.source().as_str();
                (source, arrival.id.0, arrival.received_at)
            }));
        }
        for (pending, id) in batch.into_iter().zip(ids) {
            match (id, self.insert) {
                (Some(id), _) => {
                    let duplicate = id != pending.arrival.id;
                    pending.complete(Ok(Receipt { id, duplicate }));
                }
                (None, Insert::New) => self.shared.duplicates.push(pending),
                (None, Insert::Duplicate) => {
                    debug!(
                        "group_commit.flush: the stored delivery was deleted meanwhile; answered 503"
                    );
                    pending.complete(Err(StoreError::TimedOut));
                }
            }
        }
    }
}
