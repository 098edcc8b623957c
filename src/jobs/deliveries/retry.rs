//! Handles a batch that failed: retries it in halves. A delivery that fails alone is postponed with backoff, and fails for good
//! after `max_attempts` attempts.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Connection, PgConnection};
use tracing::{debug, error, warn};

use super::linked_accounts;
use super::parse::{ParsedDelivery, parse};
use super::slices::{ManyEmployees, Tally};
use super::{BatchFailure, Deliveries, LoopState, Round, slices};
use crate::base::backoff::{Backoff, Jitter};
use crate::db::error::error_chain;
use crate::db::transaction::{set_lock_timeout, set_short_lock_timeout};
use crate::engine::Failure;
use crate::engine::accounts::AccountsTable;
use crate::engine::failure::run_catching;
use crate::engine::origin::Origin;
use crate::ingest::inbox::{self, Delivery, DeliveryOutcome, Settlement};
use crate::roster::{self, Effect};
use leaver_core::domain::{DeliveryId, Employee};

/// Before the next attempt at a delivery that failed alone.
const RETRY: Backoff = Backoff {
    base: Duration::from_secs(2),
    cap: Duration::from_mins(5),
    jitter: Jitter::Quarter,
};

/// Before the next attempt at a delivery whose accounts are locked. It costs others little.
const RETRY_LOCKED: Backoff = Backoff {
    cap: Duration::from_secs(10),
    ..RETRY
};

/// Why a delivery failed, and how often it may.
pub(super) struct Failed {
    pub(super) reason: String,
    pub(super) max_attempts: i32,
    /// True if another session holds a lock.
    pub(super) is_lock: bool,
}

impl Deliveries {
    /// Decides what follows a failed batch.
    pub(super) async fn recover(
        &self,
        state: &mut LoopState,
        failed: BatchFailure,
        now: DateTime<Utc>,
    ) -> Round {
        self.engine.forget_accounts_table();
        if !failed.claimed.is_empty()
            && let Err(error) = self.clear_in_flight(state.id).await
        {
            debug!(
                error = error_chain(&error),
                "deliveries.recover: cannot delete the record of the batch; the next batch replaces it"
            );
        }
        let BatchFailure {
            claimed,
            is_large,
            failure,
        } = failed;
        if failure.is_outage() {
            warn!(error = %failure, "deliveries.process: cannot use the database; deliveries wait");
            return Round::Outage;
        }
        match claimed.as_slice() {
            [] => {
                error!(error = %failure, "deliveries.claim: cannot claim deliveries");
                Round::Outage
            }
            [delivery] => {
                let _until_committed = if is_large {
                    Some(self.large_body.lock().await)
                } else {
                    None
                };
                let handled = self.postpone_or_fail(*delivery, &failure, now);
                match self.engine.pool.with_silence_timeout(handled).await {
                    Ok(()) => Round::Postponed,
                    Err(failure) => {
                        warn!(error = %failure, "deliveries.process: cannot record a failed attempt");
                        Round::Outage
                    }
                }
            }
            several => {
                warn!(
                    error = %failure,
                    deliveries = several.len(),
                    "deliveries.process: a batch failed; retrying it in halves"
                );
                let half = i64::try_from(several.len() / 2).unwrap_or(1).max(1);
                state.reduced_batch_size = Some(half);
                state.has_short_waits |= failure.is_lock();
                Round::BatchSplit
            }
        }
    }

    /// Handles a delivery that failed alone. If it names several employees, those for whom it succeeds are processed. The
    /// others are retried, and in the end the delivery fails for them.
    async fn postpone_or_fail(
        &self,
        id: DeliveryId,
        failure: &Failure,
        now: DateTime<Utc>,
    ) -> Result<(), Failure> {
        let mut failed = Failed {
            reason: failure.to_string(),
            max_attempts: self.config.max_attempts,
            is_lock: failure.is_lock(),
        };
        let table = self.engine.accounts_table().await;
        let mut conn = self.engine.pool.acquire().await?;
        let mut tx = conn.begin().await?;
        set_lock_timeout(&mut tx).await?;
        let Some(delivery) = inbox::store::lock(&mut tx, id).await? else {
            // Another replica has processed it in the meantime.
            return Ok(());
        };
        if failed.is_lock {
            // However long the application holds a lock, the delivery is not at fault.
            failed.max_attempts = i32::MAX;
            set_short_lock_timeout(&mut tx).await?;
        }
        let mut done = Tally::default();
        if let Ok(table) = table {
            let executed = self.execute_employees(&mut tx, &table, &delivery, failed.is_lock, now);
            done = Box::pin(executed).await?;
            if done.executed > 0 {
                failed.reason = format!(
                    "nothing could be done for {} of the {} employees in it: {}",
                    done.changed.saturating_sub(done.executed),
                    done.changed,
                    failed.reason
                );
            }
        }
        self.next_step_after_failure(&mut tx, &delivery, &failed, now)
            .await?;
        tx.commit().await?;
        for (outcome, count) in &done.outcomes {
            self.engine.count(&delivery.source, *outcome, *count);
        }
        let is_changed = done.executed > 0;
        self.engine.notify_jobs(is_changed, is_changed, is_changed);
        Ok(())
    }

    /// Executes what is possible of a delivery that failed as a whole.
    async fn execute_employees(
        &self,
        tx: &mut PgConnection,
        table: &AccountsTable,
        delivery: &Delivery,
        has_short_waits: bool,
        now: DateTime<Utc>,
    ) -> Result<Tally, Failure> {
        let policies = &self.engine.policies;
        let mut parsed = [parse(policies, delivery)];
        let mut savepoint = tx.begin().await?;
        if let [ParsedDelivery::Many(entries)] = &parsed {
            let many = ManyEmployees {
                table,
                policies,
                delivery,
                entries,
                now,
                partially: Some(&self.engine),
                has_short_waits,
            };
            let done = Box::pin(slices::execute_all(&mut savepoint, many)).await?;
            savepoint.commit().await?;
            return Ok(done);
        }
        let sharing = policies.sharing(table);
        let observing = async {
            let delivery = std::slice::from_ref(delivery);
            linked_accounts::admit(&mut savepoint, policies, delivery, &mut parsed).await?;
            let [parsed] = &parsed;
            roster::observe(&mut savepoint, parsed.observations(), &sharing, now).await
        };
        let Ok(mut observed) = run_catching(observing).await else {
            savepoint.rollback().await?;
            return Ok(Tally::default());
        };
        observed.retain(|observed| observed.effect == Effect::Changed);
        let employees = observed.iter().map(|observed| &observed.employee);
        let changed: Vec<Employee> = employees.cloned().collect();
        // A single employee has failed already, with the delivery.
        if changed.len() < 2 {
            savepoint.rollback().await?;
            return Ok(Tally::default());
        }
        let mut done = Tally {
            changed: changed.len(),
            ..Tally::default()
        };
        let origin = Origin::deliveries();
        let executed = self
            .engine
            .execute_partially(&mut savepoint, table, changed, &origin, now);
        let outcomes = executed.await?.outcomes;
        if outcomes.is_empty() {
            savepoint.rollback().await?;
            return Ok(Tally::default());
        }
        observed.retain(|observed| outcomes.contains_key(&observed.employee.key));
        let via = origin.cause.as_str();
        let recorded = roster::observations::of(&observed);
        roster::observations::store::insert(&mut savepoint, &recorded, via, now).await?;
        savepoint.commit().await?;
        done.executed = outcomes.len();
        for outcome in outcomes.into_values() {
            *done.outcomes.entry(outcome).or_default() += 1;
        }
        Ok(done)
    }

    /// Records a failed attempt at a locked delivery: postpones it, or fails it for good after its last attempt.
    pub(super) async fn next_step_after_failure(
        &self,
        conn: &mut PgConnection,
        delivery: &Delivery,
        failed: &Failed,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        let (id, reason) = (delivery.id, &failed.reason);
        let attempts = delivery.attempts.saturating_add(1);
        if attempts < failed.max_attempts {
            let backoff = if failed.is_lock { RETRY_LOCKED } else { RETRY };
            let wait = backoff.random_wait(u32::try_from(attempts).unwrap_or(1));
            let at = now + TimeDelta::from_std(wait).unwrap_or(TimeDelta::minutes(5));
            warn!(delivery = %id, attempts, reason, next_attempt_at = %at, "deliveries.process: failed; will retry");
            return inbox::store::postpone(conn, id, reason, at).await;
        }
        let reason = format!("failed {attempts} times, last: {reason}");
        error!(delivery = %id, reason, "deliveries.process: failed permanently; `leaver replay` retries it");
        let parsed = parse(&self.engine.policies, delivery);
        let settlement = Settlement {
            id,
            end: DeliveryOutcome::Failed {
                reason,
                has_event_times: parsed.has_event_times(),
            },
            employee_ids: parsed.named(),
        };
        inbox::store::settle(conn, &[settlement], now).await?;
        self.engine.metrics.delivery_failed();
        Ok(())
    }
}
