//! The working half: takes what the receiving half stored and carries it through to the record, and looks
//! at the roster when an access end has come.
//!
//! Everything that changes lives in one Postgres, so a batch is one transaction and a crash frees its rows:
//! no leases, heartbeats or leader. A batch that fails is tried again in halves, down to the one delivery
//! that fails alone; that one is retried, and fails for good after the last attempt.

pub mod act;
pub mod answer;
pub mod process;
mod bell;
mod company;
pub mod deliberate;
mod housekeeping;
mod in_hand;
mod learn;
mod record;
mod recover;
mod rulebook;
mod said;
mod anew;
pub mod timer;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use sqlx::{PgConnection, Postgres, Transaction};
use tokio::sync::{Mutex, Notify, RwLock};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};
use uuid::Uuid;

pub use self::act::Ending;
use self::bell::jittered;
pub use self::learn::Learned;
use self::process::{Batch, process_batch};
pub use self::rulebook::Rulebook;
pub(crate) use self::said::chain;
pub(crate) use self::said::database_cause;
use crate::accounts::{AccountsMapping, AccountsTable, MappingError};
pub use crate::audit::Actor;
use crate::clock::Clock;
use crate::domain::DeliveryId;
use crate::inbox;
use crate::inbox::store::ClaimLimit;
use crate::metrics::Metrics;
use crate::pool::Pool;
use crate::vitals::Vitals;

/// For taking a transaction back; on a connection that is silently gone that never ends.
const ROLL_BACK: Duration = Duration::from_secs(5);

/// Of a batch beyond this size, deliveries on which nothing was done are told of in one line together.
const CROWD: usize = 20;

/// A batch that came to nothing.
#[derive(Debug)]
pub struct Failure {
    /// The deliveries that were claimed; none when the failure came before.
    pub claimed: Vec<DeliveryId>,
    /// What the database said.
    pub error: sqlx::Error,
}

impl Failure {
    fn before_claim(error: sqlx::Error) -> Self {
        Self {
            claimed: vec![],
            error,
        }
    }

    /// Whether the database was not there, as opposed to not agreeing: then nobody is to blame and all wait.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        is_outage(&self.error)
    }
}

/// Whether an error says that the database was not there. Connection, resource and shutdown classes of
/// Postgres, and everything that is not an answer of its.
#[must_use]
pub fn is_outage(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(answer) => answer.code().is_some_and(|code| {
            ["08", "53", "57P", "25006", "40"]
                .iter()
                .any(|class| code.starts_with(class))
        }),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

/// Whether a lock of somebody else's was not released in time.
fn is_locked_out(error: &sqlx::Error) -> bool {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    code.as_deref() == Some("55P03")
}

/// Bounds how long a transaction of ours waits for a lock of the application's.
pub(crate) async fn bound_waiting(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    inbox::store::bound_lock_waits(conn).await
}

/// Takes everything back and waits until it is, since what a transaction has locked is passed over by the next
/// one as long as it lasts: a retry would find nothing to do. A transaction that is only dropped ends later.
pub(crate) async fn roll_back(tx: Transaction<'_, Postgres>) {
    let trouble = match tokio::time::timeout(ROLL_BACK, tx.rollback()).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => chain(&error),
        Err(_) => "no answer in time".to_owned(),
    };
    warn!(error = trouble, "worker.roll_back: the connection is lost");
}

/// What the worker is set to.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Deliveries per batch at most.
    pub batch: i64,
    /// Bytes of bodies per batch at most.
    pub batch_bytes: i64,
    /// How often to look without being woken.
    pub poll: Duration,
    /// Failures of one delivery before it counts as failed.
    pub max_attempts: i32,
    /// How long the body of a failed delivery is kept.
    pub keep_parked: TimeDelta,
    /// How long a settled delivery is remembered.
    pub keep_settled: TimeDelta,
}

/// Everything that the loops of this room need.
pub struct Worker {
    /// Connections of its own, so that a busy worker cannot starve the receiving half.
    pub pool: Pool,
    /// Where the application keeps its users.
    pub mapping: AccountsMapping,
    /// How sources are read and judged.
    pub rules: Arc<Rulebook>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Set when something was stored.
    pub arrived: Arc<Notify>,
    /// Set when an access end was noted or moved.
    pub rescheduled: Arc<Notify>,
    /// Set when a read of an employee became due.
    pub reading: Arc<Notify>,
    /// Signs of life, for health.
    pub vitals: Arc<Vitals>,
    /// Counters and histograms.
    pub metrics: Arc<Metrics>,
    /// What it is set to.
    pub limits: Limits,
    /// Shared by whoever has a batch in hand; a delivery that is to be alone takes all of it.
    pub hands: RwLock<()>,
    /// Taken by one loop after the other in a rush, when senders come first.
    pub turn: Mutex<()>,
}

/// What one round of the worker did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// Processed this many deliveries.
    Processed(usize),
    /// Put one failing delivery aside, for later or for good.
    PutAside,
    /// A batch failed and will be tried again in halves.
    Halved,
    /// Nothing is due.
    Idle,
    /// The database is not there.
    Outage,
}

/// What a loop remembers from round to round.
#[derive(Debug)]
pub struct Memory {
    /// This start of this loop, for what it has in hand.
    id: Uuid,
    table: Option<AccountsTable>,
    halved_to: Option<i64>,
    orphans_taken: bool,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            id: Uuid::new_v4(),
            table: None,
            halved_to: None,
            orphans_taken: false,
        }
    }
}

impl Worker {
    /// Processes deliveries until stopped. Several of these may run at a time, in one process or in many.
    pub async fn run(&self, stop: CancellationToken) {
        let mut memory = Memory::default();
        let mut outages = 0_u32;
        let mut called_at = None;
        while !stop.is_cancelled() {
            // Interest is registered before looking, so that nothing slips in between.
            let arrived = self.arrived.notified();
            let turn = if self.vitals.in_a_rush() {
                Some(self.turn.lock().await)
            } else {
                None
            };
            let round = self.round(&mut memory).await;
            drop(turn);
            self.vitals.worker_seen(self.clock.now());
            let pause = match round {
                Round::Processed(count) => {
                    self.call_for_help(&mut called_at, count).await;
                    continue;
                }
                Round::PutAside | Round::Halved => continue,
                Round::Idle => {
                    outages = 0;
                    jittered(self.limits.poll)
                }
                Round::Outage => {
                    outages = (outages + 1).min(6);
                    Duration::from_millis(100 << outages)
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = arrived, if round == Round::Idle => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// One round: a batch, or what follows from its failure. Tests call this instead of the loop.
    pub async fn round(&self, memory: &mut Memory) -> Round {
        let now = self.clock.now();
        let table = match self.table(memory).await {
            Ok(table) => table,
            Err(error) => {
                error!(
                    error = chain(&error),
                    "worker.inspect: cannot use the accounts table; deliveries wait"
                );
                return Round::Outage;
            }
        };
        // Before anything is claimed: what ended the process last time would end it again.
        if !memory.orphans_taken {
            match self.pool.heard(self.take_orphaned(memory)).await {
                Ok(()) => memory.orphans_taken = true,
                Err(error) => {
                    warn!(
                        error = chain(&error),
                        "worker.process: the database is not there; deliveries wait"
                    );
                    return Round::Outage;
                }
            }
        }
        let limit = ClaimLimit {
            deliveries: memory.halved_to.unwrap_or(self.limits.batch),
            bytes: self.limits.batch_bytes,
        };
        let began = Instant::now();
        match process_batch(self, memory.id, &table, limit, now).await {
            Ok(batch) if batch.deliveries.is_empty() => {
                memory.halved_to = None;
                Round::Idle
            }
            Ok(batch) => {
                memory.halved_to = memory
                    .halved_to
                    .map(|size| size.saturating_mul(2))
                    .filter(|size| *size < self.limits.batch);
                self.metrics.processed(began.elapsed());
                self.report(&batch);
                Round::Processed(batch.deliveries.len())
            }
            Err(failure) => self.recover(memory, failure, now).await,
        }
    }

    pub(crate) async fn table(&self, memory: &mut Memory) -> Result<AccountsTable, MappingError> {
        if let Some(table) = &memory.table {
            return Ok(table.clone());
        }
        let inspected = async {
            let mut conn = self.pool.acquire().await?;
            AccountsTable::inspect(&mut conn, &self.mapping).await
        };
        let table = self.pool.heard(inspected).await?;
        memory.table = Some(table.clone());
        Ok(table)
    }

    fn report(&self, batch: &Batch) {
        let now = self.clock.now();
        let is_crowd = batch.deliveries.len() > CROWD;
        let mut uneventful = 0;
        for done in &batch.deliveries {
            let elapsed = now - done.received_at;
            self.metrics.settled(
                &done.source,
                done.state,
                elapsed.to_std().unwrap_or_default(),
            );
            for (ending, count) in &done.endings {
                self.count(&done.source, *ending, *count);
            }
            let is_deed = done.endings.keys().any(|ending| ending.is_deed());
            if is_crowd && done.reason.is_none() && !is_deed {
                uneventful += 1;
                debug!(delivery = %done.id, source = done.source, "worker.process: settled");
                continue;
            }
            let outcome = done
                .endings
                .iter()
                .map(|(ending, count)| format!("{}={count}", ending.as_str()))
                .collect::<Vec<_>>()
                .join(" ");
            let elapsed_ms = elapsed.num_milliseconds();
            let span =
                tracing::info_span!("worker.process", delivery = %done.id, source = done.source);
            let _entered = span.enter();
            match &done.reason {
                None => info!(elapsed_ms, outcome, "processed"),
                Some(reason) if done.state == "failed" => warn!(elapsed_ms, reason, "failed"),
                Some(reason) => info!(elapsed_ms, reason, "ignored"),
            }
        }
        if uneventful > 0 {
            info!(
                deliveries = uneventful,
                "worker.process: settled, and nothing was to be done"
            );
        }
        self.wake(batch.schedule_moved, batch.reads_due);
    }

    fn wake(&self, schedule_moved: bool, reads_due: bool) {
        if schedule_moved {
            self.rescheduled.notify_one();
        }
        if reads_due {
            self.reading.notify_one();
        }
    }

    fn count(&self, source: &str, ending: Ending, count: usize) {
        self.metrics.ended(source, ending.as_str(), count);
        if ending == Ending::Deactivated {
            self.metrics.deactivated(source, count);
        }
    }
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
