//! What follows when a batch could not be carried out: it is tried again in halves, and what fails alone waits,
//! longer each time, until waiting has not helped.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Connection, PgConnection};
use tracing::{debug, error, warn};

use super::batch::{self, catch_panic};
use crate::db::error::is_locked_out;
use crate::db::error::{chain, redacted_message};
use crate::db::transaction::set_lock_timeout;
use crate::engine::Engine;
use crate::engine::accounts::AccountsTable;
use crate::engine::audit::Actor;
use crate::engine::execute::Outcome;
use crate::ingest::inbox::{self, Delivery, DeliveryOutcome, Settlement};
use crate::jobs::deliveries::{BatchFailure, LoopState, Round};
use crate::roster::{self, Effect};
use leaver_core::domain::{DeliveryId, Employee, EmployeeKey};

impl Engine {
    pub(crate) async fn recover(
        &self,
        memory: &mut LoopState,
        failure: BatchFailure,
        now: DateTime<Utc>,
    ) -> Round {
        // A cached plan or a mapping may be out of date; looking again is cheap and heals it.
        memory.table = None;
        if !failure.claimed.is_empty()
            && let Err(error) = self.forget_mark(memory.id).await
        {
            debug!(
                error = chain(&error),
                "worker.process: the mark stays until the next one"
            );
        }
        if failure.is_outage() {
            warn!(
                error = chain(&failure.error),
                "worker.process: the database is not there; deliveries wait"
            );
            return Round::Outage;
        }
        match failure.claimed.as_slice() {
            [] => {
                error!(
                    error = chain(&failure.error),
                    "worker.claim: cannot claim deliveries"
                );
                Round::Outage
            }
            [alone] => {
                let postpone_or_park = self.postpone_or_park(memory, *alone, &failure.error, now);
                match self.pool.heard(postpone_or_park).await {
                    Ok(()) => Round::Postponed,
                    Err(error) => {
                        warn!(
                            error = chain(&error),
                            "worker.process: cannot note a failed attempt"
                        );
                        Round::Outage
                    }
                }
            }
            several => {
                let half = i64::try_from(several.len() / 2).unwrap_or(1).max(1);
                warn!(
                    error = chain(&failure.error),
                    deliveries = several.len(),
                    "worker.process: a batch failed; trying halves"
                );
                memory.reduced_batch_size = Some(half);
                Round::BatchSplit
            }
        }
    }

    /// What follows for a delivery that failed alone. Of several employees in it, those for whom something can be done
    /// are done; the others wait, longer each time, and park it when that has not helped.
    async fn postpone_or_park(
        &self,
        memory: &mut LoopState,
        id: DeliveryId,
        error: &sqlx::Error,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        let mut failed = Failed {
            cause: redacted_message(error),
            most: self.limits.max_attempts,
        };
        let table = self.accounts_table(memory).await;
        let mut conn = self.pool.acquire().await?;
        let mut tx = conn.begin().await?;
        set_lock_timeout(&mut tx).await?;
        let Some(delivery) = inbox::store::lock(&mut tx, id).await? else {
            // Another replica has settled it in the meantime.
            return Ok(());
        };
        let mut outcomes = HashMap::new();
        match table {
            // A lock that the application holds is nobody's fault, however long it is held.
            _ if is_locked_out(error) => failed.most = i32::MAX,
            Ok(table) => {
                let (several, done) = self
                    .carry_out_apart(&mut tx, &table, &delivery, now)
                    .await?;
                if !done.is_empty() {
                    failed.cause = format!(
                        "nothing could be done for {} of the {several} employees in it: {}",
                        several - done.len(),
                        failed.cause
                    );
                }
                outcomes = done;
            }
            Err(_) => {}
        }
        next_step_after_failure(self, &mut tx, &delivery, &failed, now).await?;
        tx.commit().await?;
        for (key, outcome) in &outcomes {
            self.count(key.source.as_str(), *outcome, 1);
        }
        self.wake(!outcomes.is_empty(), !outcomes.is_empty());
        Ok(())
    }

    /// Carries out what can be of one delivery that cannot be carried out whole: says for how many of its employees
    /// there was something to do, and how it ended for those for whom it could be done.
    async fn carry_out_apart(
        &self,
        tx: &mut PgConnection,
        table: &AccountsTable,
        delivery: &Delivery,
        now: DateTime<Utc>,
    ) -> Result<(usize, HashMap<EmployeeKey, Outcome>), sqlx::Error> {
        let nothing = (0, HashMap::new());
        let observations = batch::observations(&self.rules, delivery);
        let mut point = tx.begin().await?;
        let Ok(observed) = catch_panic(roster::observe(
            &mut point,
            &observations,
            &self.rules.names(),
            now,
        ))
        .await
        else {
            point.rollback().await?;
            return Ok(nothing);
        };
        let newer: Vec<Employee> = observed
            .into_iter()
            .filter(|observed| observed.effect == Effect::Changed)
            .map(|observed| observed.employee)
            .collect();
        if newer.len() < 2 {
            point.rollback().await?;
            return Ok(nothing);
        }
        let several = newer.len();
        let (outcomes, _) = self
            .execute_partially(&mut point, table, newer, &Actor::System, now)
            .await?;
        if outcomes.is_empty() {
            point.rollback().await?;
            return Ok(nothing);
        }
        point.commit().await?;
        Ok((several, outcomes))
    }
}

/// Why a delivery has failed, and how often it may.
pub(crate) struct Failed {
    pub(crate) cause: String,
    pub(crate) most: i32,
}

/// Notes that a locked delivery has failed: it waits for its next attempt, or is parked when it had its last.
pub(crate) async fn next_step_after_failure(
    worker: &Engine,
    conn: &mut PgConnection,
    delivery: &Delivery,
    failed: &Failed,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let (id, cause) = (delivery.id, &failed.cause);
    let attempts = delivery.attempts + 1;
    if attempts < failed.most {
        let at = now + backoff(id, attempts);
        warn!(delivery = %id, attempts, cause, next_attempt_at = %at, "worker.process: failed; will try again");
        return inbox::store::postpone(conn, id, cause, at).await;
    }
    let cause = format!("failed {attempts} times, last: {cause}");
    error!(delivery = %id, cause, "worker.process: parked");
    let settlement = Settlement {
        id,
        end: DeliveryOutcome::Parked { cause },
        employee_ids: batch::named(&worker.rules, delivery),
    };
    inbox::store::settle(conn, &[settlement], now).await?;
    worker.metrics.parked();
    Ok(())
}

/// Doubles from two seconds to five minutes; each delivery is spread by its own id, so that a crowd that
/// failed together does not come back together.
pub(crate) fn backoff(id: DeliveryId, attempts: i32) -> TimeDelta {
    let exponent = u32::try_from(attempts.clamp(1, 9)).unwrap_or(9);
    let base_ms = (1_000_i64 << exponent).min(300_000);
    let spread = i64::from(id.0.as_bytes()[15]) * base_ms / 1_024;
    TimeDelta::milliseconds(base_ms + spread)
}
