//! What follows when a batch could not be carried out: it is tried again in halves, and what fails alone waits,
//! longer each time, until waiting has not helped.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Connection, PgConnection};
use tracing::{debug, error, warn};

use super::act::Ending;
use super::process::{self, caught};
use super::{Failure, Memory, Round, Worker, bound_waiting, chain, database_cause, is_locked_out};
use crate::accounts::AccountsTable;
use crate::audit::Actor;
use crate::domain::{DeliveryId, Employee, EmployeeKey};
use crate::inbox::{self, Delivery, End, Settlement};
use crate::roster::{self, Effect};

impl Worker {
    pub(super) async fn recover(
        &self,
        memory: &mut Memory,
        failure: Failure,
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
                let put_aside = self.put_aside(memory, *alone, &failure.error, now);
                match self.pool.heard(put_aside).await {
                    Ok(()) => Round::PutAside,
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
                memory.halved_to = Some(half);
                Round::Halved
            }
        }
    }

    /// What follows for a delivery that failed alone. Of several employees in it, those for whom something can be done
    /// are done; the others wait, longer each time, and park it when that has not helped.
    async fn put_aside(
        &self,
        memory: &mut Memory,
        id: DeliveryId,
        error: &sqlx::Error,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        let mut failed = Failed {
            reason: database_cause(error),
            most: self.limits.max_attempts,
        };
        let table = self.accounts_table(memory).await;
        let mut conn = self.pool.acquire().await?;
        let mut tx = conn.begin().await?;
        bound_waiting(&mut tx).await?;
        let Some(delivery) = inbox::store::lock(&mut tx, id).await? else {
            // Another replica has settled it in the meantime.
            return Ok(());
        };
        let mut endings = HashMap::new();
        match table {
            // A lock that the application holds is nobody's fault, however long it is held.
            _ if is_locked_out(error) => failed.most = i32::MAX,
            Ok(table) => {
                let (several, done) = self
                    .carry_out_apart(&mut tx, &table, &delivery, now)
                    .await?;
                if !done.is_empty() {
                    failed.reason = format!(
                        "nothing could be done for {} of the {several} employees in it: {}",
                        several - done.len(),
                        failed.reason
                    );
                }
                endings = done;
            }
            Err(_) => {}
        }
        what_follows(self, &mut tx, &delivery, &failed, now).await?;
        tx.commit().await?;
        for (key, ending) in &endings {
            self.count(key.source.as_str(), *ending, 1);
        }
        self.wake(!endings.is_empty(), !endings.is_empty());
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
    ) -> Result<(usize, HashMap<EmployeeKey, Ending>), sqlx::Error> {
        let nothing = (0, HashMap::new());
        let observations = process::observations(&self.rules, delivery);
        let mut point = tx.begin().await?;
        let Ok(observed) = caught(roster::observe(
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
            .filter(|observed| observed.effect == Effect::Newer)
            .map(|observed| observed.employee)
            .collect();
        if newer.len() < 2 {
            point.rollback().await?;
            return Ok(nothing);
        }
        let several = newer.len();
        let (endings, _) = self
            .carry_out(&mut point, table, newer, &Actor::System, now)
            .await?;
        if endings.is_empty() {
            point.rollback().await?;
            return Ok(nothing);
        }
        point.commit().await?;
        Ok((several, endings))
    }
}

/// Why a delivery has failed, and how often it may.
pub(super) struct Failed {
    pub(super) reason: String,
    pub(super) most: i32,
}

/// Notes that a locked delivery has failed: it waits for its next attempt, or fails for good after its last.
pub(super) async fn what_follows(
    worker: &Worker,
    conn: &mut PgConnection,
    delivery: &Delivery,
    failed: &Failed,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let (id, reason) = (delivery.id, &failed.reason);
    let attempts = delivery.attempts + 1;
    if attempts < failed.most {
        let at = now + backoff(id, attempts);
        warn!(delivery = %id, attempts, reason, next_attempt_at = %at, "worker.process: failed; will try again");
        return inbox::store::postpone(conn, id, reason, at).await;
    }
    let reason = format!("failed {attempts} times, last: {reason}");
    error!(delivery = %id, reason, "worker.process: failed permanently; `leaver replay` retries it");
    let settlement = Settlement {
        id,
        end: End::Failed { reason },
        employee_ids: process::named(&worker.rules, delivery),
    };
    inbox::store::settle(conn, &[settlement], now).await?;
    worker.metrics.parked();
    Ok(())
}

/// Doubles from two seconds to five minutes; each delivery is spread by its own id, so that a crowd that
/// failed together does not come back together.
pub(super) fn backoff(id: DeliveryId, attempts: i32) -> TimeDelta {
    let exponent = u32::try_from(attempts.clamp(1, 9)).unwrap_or(9);
    let base_ms = (1_000_i64 << exponent).min(300_000);
    let spread = i64::from(id.0.as_bytes()[15]) * base_ms / 1_024;
    TimeDelta::milliseconds(base_ms + spread)
}
