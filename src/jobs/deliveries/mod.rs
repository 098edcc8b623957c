//! Claims stored deliveries and processes them in batches.
//!
//! Everything that changes lives in one Postgres, so a batch is one transaction and a crash frees its rows. A batch that
//! fails is retried in halves, down to the one delivery that fails alone; that one is postponed, and parked when retries
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
use crate::engine::Worker;
use crate::engine::accounts::AccountsTable;
use crate::ingest::inbox::store::ClaimLimit;

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
    pub(crate) id: Uuid,
    pub(crate) table: Option<AccountsTable>,
    pub(crate) halved_to: Option<i64>,
    pub(crate) orphans_taken: bool,
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
            if is_crowd && done.cause.is_none() && !is_deed {
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
            match &done.cause {
                None => info!(elapsed_ms, outcome, "settled"),
                Some(cause) if done.state == "parked" => warn!(elapsed_ms, cause, "parked"),
                Some(cause) => info!(elapsed_ms, cause, "ignored"),
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
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
