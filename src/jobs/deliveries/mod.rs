//! Claims stored deliveries and processes them in batches.
//!
//! Everything that changes lives in one Postgres, so a batch is one transaction and a crash frees its rows. A batch that
//! fails is retried in halves, down to the one delivery that fails alone; that one is postponed, and fails for good when retries
//! do not help.

pub mod batch;
pub(crate) mod in_flight;
pub(crate) mod notify;
pub(crate) mod retry;

use std::time::{Duration, Instant};

use leaver_core::domain::DeliveryId;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};
use uuid::Uuid;

use self::batch::{Batch, process_batch};
use self::notify::jittered;
use crate::db::error::{chain, is_outage};
use crate::engine::Engine;
use crate::engine::accounts::AccountsTable;
use crate::ingest::inbox::store::ClaimLimit;

/// Of a batch beyond this size, deliveries on which nothing was done are told of in one line together.
const CROWD: usize = 20;

/// A batch that came to nothing.
#[derive(Debug)]
pub struct BatchFailure {
    /// The deliveries that were claimed; none when the failure came before.
    pub claimed: Vec<DeliveryId>,
    /// What the database said.
    pub error: sqlx::Error,
}

impl BatchFailure {
    pub(crate) fn before_claim(error: sqlx::Error) -> Self {
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

/// What one round of the worker did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// Processed this many deliveries.
    Processed(usize),
    /// Put one failing delivery aside, for later or for good.
    Postponed,
    /// A batch failed and will be tried again in halves.
    BatchSplit,
    /// Nothing is due.
    Idle,
    /// The database is not there.
    Outage,
}

/// What a loop remembers from round to round.
#[derive(Debug)]
pub struct LoopState {
    /// This start of this loop, for what it has in hand.
    pub(crate) id: Uuid,
    pub(crate) table: Option<AccountsTable>,
    pub(crate) reduced_batch_size: Option<i64>,
    pub(crate) orphans_taken: bool,
}

impl Default for LoopState {
    fn default() -> Self {
        Self {
            id: Uuid::new_v4(),
            table: None,
            reduced_batch_size: None,
            orphans_taken: false,
        }
    }
}

impl Engine {
    /// Processes deliveries until stopped. Several of these may run at a time, in one process or in many.
    pub async fn run(&self, stop: CancellationToken) {
        let mut memory = LoopState::default();
        let mut outages = 0_u32;
        let mut called_at = None;
        while !stop.is_cancelled() {
            // Interest is registered before looking, so that nothing slips in between.
            let arrived = self.arrived.notified();
            let turn = if self.liveness.in_a_rush() {
                Some(self.turn.lock().await)
            } else {
                None
            };
            let round = self.round(&mut memory).await;
            drop(turn);
            self.liveness.worker_seen(self.clock.now());
            let pause = match round {
                Round::Processed(count) => {
                    self.notify_replicas(&mut called_at, count).await;
                    continue;
                }
                Round::Postponed | Round::BatchSplit => continue,
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
    pub async fn round(&self, memory: &mut LoopState) -> Round {
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
            match self.pool.heard(self.reclaim_orphans(memory)).await {
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
            deliveries: memory.reduced_batch_size.unwrap_or(self.limits.batch),
            bytes: self.limits.batch_bytes,
        };
        let began = Instant::now();
        match process_batch(self, memory.id, &table, limit, now).await {
            Ok(batch) if batch.deliveries.is_empty() => {
                memory.reduced_batch_size = None;
                Round::Idle
            }
            Ok(batch) => {
                memory.reduced_batch_size = memory
                    .reduced_batch_size
                    .map(|size| size.saturating_mul(2))
                    .filter(|size| *size < self.limits.batch);
                self.metrics.processed(began.elapsed());
                self.report(&batch);
                Round::Processed(batch.deliveries.len())
            }
            Err(failure) => self.recover(memory, failure, now).await,
        }
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
            for (outcome, count) in &done.outcomes {
                self.count(&done.source, *outcome, *count);
            }
            let is_change = done.outcomes.keys().any(|outcome| outcome.is_change());
            if is_crowd && done.reason.is_none() && !is_change {
                uneventful += 1;
                debug!(delivery = %done.id, source = done.source, "worker.process: settled");
                continue;
            }
            let outcome = done
                .outcomes
                .iter()
                .map(|(outcome, count)| format!("{}={count}", outcome.as_str()))
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
        self.wake(batch.schedule_moved, batch.reads_pending);
    }
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
