//! Claims stored deliveries and processes them in batches.
//!
//! A batch is one transaction, so a crash frees its rows. A batch that fails is retried in halves, down to the delivery that
//! fails alone: that one is postponed, and fails for good after `max_attempts` attempts.

pub(crate) mod batch;
mod in_flight;
pub(crate) mod linked_accounts;
pub mod notify;
mod parse;
mod retry;
mod slices;
mod traces;
mod worker;

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::sync::{Mutex, RwLock};
use tracing::{debug, error, info, warn};
use uuid::Uuid;

use self::batch::{Batch, process_batch};
pub use self::worker::DeliveryWorker;
use crate::base::liveness::Liveness;
use crate::engine::execute::Outcome;
use crate::engine::{Engine, Failure};
use crate::ingest::inbox::store::ClaimLimit;
use crate::jobs::runner::idle::IdleWait;
use leaver_core::domain::DeliveryId;

/// Larger batches log deliveries without a change in one summary line.
const SUMMARY_THRESHOLD: usize = 20;

/// Limits of the delivery workers.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// Deliveries per batch, at most.
    pub batch_max_deliveries: i64,
    /// Bytes of bodies per batch, at most. A single larger delivery is a batch of its own.
    pub batch_max_bytes: i64,
    /// How often to look for deliveries without a notification.
    pub poll_interval: Duration,
    /// Failures of one delivery before it fails for good.
    pub max_attempts: i32,
}

/// Processes deliveries. Shared by the delivery workers of this process.
pub struct Deliveries {
    /// The engine.
    pub engine: Arc<Engine>,
    /// Limits of the workers.
    pub config: WorkerConfig,
    liveness: Arc<Liveness>,
    /// Held shared by each batch, and exclusively by the batch of an isolated delivery.
    concurrency: RwLock<()>,
    /// Held by the batch of a large body, so that a process has only one of them in memory.
    large_body: Mutex<()>,
    /// Under overload held by one worker after the other, so that inserts of new deliveries come first.
    pub overload_lock: Mutex<()>,
    /// The wait of all workers of this process. One of them queries the database for all.
    idle: std::sync::Mutex<IdleWait>,
}

/// A batch that failed; nothing of it was done.
#[derive(Debug)]
pub(crate) struct BatchFailure {
    /// The deliveries of the batch; none if the failure came before the claim.
    pub claimed: Vec<DeliveryId>,
    /// True if it is one with a large body.
    pub is_large: bool,
    /// Why it failed.
    pub failure: Failure,
}

impl BatchFailure {
    fn before_claim(error: sqlx::Error) -> Self {
        Self {
            claimed: vec![],
            is_large: false,
            failure: error.into(),
        }
    }
}

/// The result of one round of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// Processed this many deliveries.
    Processed(usize),
    /// Postponed one failing delivery, or failed it for good.
    Postponed,
    /// Failed on a batch, and will retry its halves.
    BatchSplit,
    /// Found nothing due.
    Idle,
    /// Could not use the database; everything stays due.
    Outage,
}

/// State that a worker keeps between rounds.
#[derive(Debug)]
pub struct LoopState {
    /// Identifies this start of this worker in `leaver.in_flight_batches`.
    id: Uuid,
    reduced_batch_size: Option<i64>,
    /// True while a batch that met a lock is retried in parts. They wait for locks of the application only shortly.
    has_short_waits: bool,
    orphans_reclaimed: bool,
    /// When the next delivery is due, as found by the last round that found none.
    pub(crate) next_attempt_at: Option<DateTime<Utc>>,
}

impl Default for LoopState {
    fn default() -> Self {
        Self {
            id: Uuid::new_v4(),
            reduced_batch_size: None,
            has_short_waits: false,
            orphans_reclaimed: false,
            next_attempt_at: None,
        }
    }
}

impl Deliveries {
    /// Creates the processor of deliveries.
    #[must_use]
    pub fn new(engine: Arc<Engine>, config: WorkerConfig, liveness: Arc<Liveness>) -> Self {
        Self {
            engine,
            config,
            liveness,
            concurrency: RwLock::default(),
            large_body: Mutex::default(),
            overload_lock: Mutex::default(),
            idle: std::sync::Mutex::default(),
        }
    }

    fn idle(&self) -> MutexGuard<'_, IdleWait> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Processes one batch, or handles its failure. Tests call this instead of running a [`DeliveryWorker`].
    pub async fn round(&self, state: &mut LoopState) -> Round {
        let now = self.engine.clock.now();
        let table = match self.engine.accounts_table().await {
            Ok(table) => table,
            Err(failure) => {
                error!(error = %failure, "deliveries.process: cannot use the accounts table; deliveries wait");
                return Round::Outage;
            }
        };
        // Before the first claim: a delivery that ended the process must not be claimed in a batch again.
        if !state.orphans_reclaimed {
            let reclaimed = self.reclaim_orphans(state);
            if let Err(failure) = self.engine.pool.with_silence_timeout(reclaimed).await {
                warn!(error = %failure, "deliveries.process: the database did not finish the work; deliveries wait");
                return Round::Outage;
            }
            state.orphans_reclaimed = true;
        }
        let limit = ClaimLimit {
            deliveries: state
                .reduced_batch_size
                .unwrap_or(self.config.batch_max_deliveries),
            bytes: self.config.batch_max_bytes,
            takes_large: false,
        };
        let began = Instant::now();
        match process_batch(self, state, &table, limit, now).await {
            Ok(batch) if batch.deliveries.is_empty() => {
                state.reduced_batch_size = None;
                state.has_short_waits = false;
                state.next_attempt_at = batch.next_attempt_at;
                Round::Idle
            }
            Ok(batch) => {
                state.reduced_batch_size = state
                    .reduced_batch_size
                    .map(|size| size.saturating_mul(2))
                    .filter(|size| *size < self.config.batch_max_deliveries);
                state.has_short_waits &= state.reduced_batch_size.is_some();
                self.engine.metrics.processed(began.elapsed());
                self.report(&batch);
                let now = self.engine.clock.now();
                traces::record_batch(&self.engine.traces, &batch, began.elapsed(), now);
                Round::Processed(batch.deliveries.len())
            }
            Err(failure) => self.recover(state, failure, now).await,
        }
    }

    /// Logs and counts a committed batch, and wakes the jobs that it concerns.
    fn report(&self, batch: &Batch) {
        let now = self.engine.clock.now();
        let is_large = batch.deliveries.len() > SUMMARY_THRESHOLD;
        let mut unchanged = 0;
        for settled in &batch.deliveries {
            let (id, source) = (settled.id, &settled.source);
            let elapsed = now - settled.received_at;
            let latency = elapsed.to_std().unwrap_or_default();
            self.engine.metrics.settled(source, settled.state, latency);
            for (outcome, count) in &settled.outcomes {
                self.engine.count(source, *outcome, *count);
            }
            let is_change = settled.outcomes.keys().any(|outcome| outcome.is_change());
            if is_large && settled.reason.is_none() && !is_change {
                unchanged += 1;
                debug!(delivery = %id, source, "deliveries.process: processed");
                continue;
            }
            let outcome = settled
                .outcomes
                .iter()
                .map(|(outcome, count)| format!("{}={count}", outcome.as_str()))
                .collect::<Vec<_>>()
                .join(" ");
            let elapsed_ms = elapsed.num_milliseconds();
            let trace_id = self.engine.traces.of_delivery(id.0);
            let trace_id = trace_id.map(|context| tracing::field::display(context.trace_id()));
            let span = tracing::info_span!("deliveries.process", delivery = %id, source, trace_id);
            let _entered = span.enter();
            match &settled.reason {
                None if settled.outcomes.contains_key(&Outcome::Blocked) => {
                    warn!(
                        elapsed_ms,
                        outcome,
                        "processed; the database did not carry out all of it, `leaver drift` lists the accounts"
                    );
                }
                None => info!(elapsed_ms, outcome, "processed"),
                Some(reason) if settled.state == "failed" => warn!(elapsed_ms, reason, "failed"),
                Some(reason) if settled.state == "processed" => {
                    warn!(elapsed_ms, outcome, reason, "processed in part");
                }
                Some(reason) => info!(elapsed_ms, reason, "ignored"),
            }
        }
        if unchanged > 0 {
            info!(
                deliveries = unchanged,
                "deliveries.process: processed without a change"
            );
        }
        self.engine.notify_jobs(
            batch.schedule_changed,
            batch.reads_pending,
            batch.events_recorded,
        );
    }
}

#[cfg(test)]
mod tests;
