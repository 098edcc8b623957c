//! Applies observations from reads of a provider's API. Deliveries take the same way: observe, evaluate, execute.

mod confirm;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};

use crate::base::halves::Halves;
use crate::db::transaction::{roll_back, set_lock_timeout, set_short_lock_timeout};
use crate::engine::Engine;
use crate::engine::accounts::AccountsTable;
use crate::engine::execute::{Outcome, execute};
use crate::engine::failure::{Failure, run_catching};
use crate::engine::origin::Origin;
use crate::roster::{self, Effect, Observation, Observed};
use leaver_core::decision::assess::assess;
use leaver_core::domain::{Employee, PositionFact};

/// Employees of one call that may fail one by one. More failures have one common cause.
const MAX_FAILURES: usize = 10;

/// The result of observations in one transaction.
#[derive(Debug, Default)]
pub(crate) struct ApplyReport {
    /// Number of employees by outcome.
    pub outcomes: BTreeMap<Outcome, usize>,
    schedule_changed: bool,
    reads_pending: bool,
    events_recorded: bool,
}

/// The result of a list of observations, over all its transactions.
#[derive(Debug, Default)]
pub(crate) struct ApplyResult {
    /// Number of employees by outcome.
    pub(crate) outcomes: BTreeMap<Outcome, usize>,
    /// Number of employees that failed one by one, by the text of the failure.
    pub(crate) failed: BTreeMap<String, usize>,
    /// Why the rest was not tried; `None` if all of it was.
    pub(crate) ended: Option<Failure>,
}

impl Engine {
    /// Merges observations of one source into the roster, and evaluates and executes what they change. The caller owns the
    /// transaction, and calls [`Self::after_commit`] once it is committed.
    ///
    /// # Errors
    /// Returns the failure; the transaction must be rolled back then.
    pub(crate) async fn apply_observations(
        &self,
        conn: &mut PgConnection,
        table: &AccountsTable,
        observations: &[Observation],
        origin: &Origin,
    ) -> Result<ApplyReport, Failure> {
        let now = self.clock.now();
        run_catching(self.observe_and_execute(conn, table, observations, origin, now)).await
    }

    async fn observe_and_execute(
        &self,
        conn: &mut PgConnection,
        table: &AccountsTable,
        observations: &[Observation],
        origin: &Origin,
        now: DateTime<Utc>,
    ) -> Result<ApplyReport, sqlx::Error> {
        let sharing = self.policies.sharing(table);
        let observed = roster::observe(conn, observations, &sharing, now).await?;
        let recorded = roster::observations::of(&observed);
        roster::observations::store::insert(conn, &recorded, origin.cause.as_str(), now).await?;
        let mut report = ApplyReport::default();
        let (mut confirmed, mut changed): (Vec<Employee>, Vec<Employee>) = (vec![], vec![]);
        for observed in observed {
            let outcome = match observed.effect {
                Effect::Changed if self.is_confirmation(&observed, now) => {
                    let mut employee = observed.employee;
                    self.policies.forget_position(&mut employee);
                    confirmed.push(employee);
                    Outcome::Unchanged
                }
                Effect::Changed => {
                    changed.push(observed.employee);
                    continue;
                }
                Effect::Stale => Outcome::Stale,
                Effect::Unchanged => Outcome::Unchanged,
            };
            *report.outcomes.entry(outcome).or_default() += 1;
        }
        if !confirmed.is_empty() {
            roster::store::save(conn, &confirmed, now).await?;
        }
        if changed.is_empty() {
            return Ok(report);
        }
        let executed = execute(conn, table, &self.policies, changed, origin, now).await?;
        for outcome in executed.outcomes.values() {
            *report.outcomes.entry(*outcome).or_default() += 1;
        }
        report.schedule_changed = executed.schedule_changed;
        report.reads_pending = executed.reads_pending;
        report.events_recorded = executed.events_recorded;
        Ok(report)
    }

    /// Returns whether an observation repeats the known values and the policy assesses them as before. Access that somebody
    /// restored in the meantime is found by drift, not by the next read.
    fn is_confirmation(&self, observed: &Observed, now: DateTime<Utc>) -> bool {
        let (before, after) = (&observed.previous, &observed.employee);
        let policy = self.policies.policy(&after.key.source);
        let mut position = PositionFact::ALL.iter();
        after.has_same_values(before)
            && !position.any(|fact| after.has_moved(before, *fact))
            && policy
                .is_some_and(|policy| assess(policy, before, now) == assess(policy, after, now))
    }

    /// Applies observations of one source and linked account. Employees of whom all facts are repeated are confirmed.
    /// The others are applied in one transaction, and after a failure in halves, so that one employee that
    /// fails does not hold up the others. After a lock, the waits are short. Ends early at an outage, or after more than 10
    /// failures.
    pub(crate) async fn apply_in_chunks(
        &self,
        source: &str,
        observations: Vec<Observation>,
        origin: &Origin,
    ) -> ApplyResult {
        let mut result = ApplyResult::default();
        let mut observations = observations;
        let confirmed = self.confirm_unchanged(&mut observations).await;
        self.after_commit(source, &confirmed);
        result.outcomes = confirmed.outcomes;
        if observations.is_empty() {
            return result;
        }
        let mut halves = Halves::new(observations);
        let mut has_short_waits = false;
        while let Some(part) = halves.next() {
            let applied = self.apply_and_commit(&part, origin, has_short_waits);
            let failure = match self.pool.with_silence_timeout(applied).await {
                Ok(report) => {
                    self.after_commit(source, &report);
                    for (outcome, count) in report.outcomes {
                        *result.outcomes.entry(outcome).or_default() += count;
                    }
                    continue;
                }
                Err(failure) => failure,
            };
            self.forget_accounts_table();
            let is_systematic = result.failed.values().sum::<usize>() >= MAX_FAILURES;
            has_short_waits |= failure.is_lock();
            if failure.is_outage() || is_systematic {
                result.ended = Some(failure);
                break;
            }
            if let Some(failed) = halves.split(part) {
                *result.failed.entry(failure.to_string()).or_default() += failed.len();
            }
        }
        result
    }

    async fn apply_and_commit(
        &self,
        observations: &[Observation],
        origin: &Origin,
        has_short_waits: bool,
    ) -> Result<ApplyReport, Failure> {
        let table = self.accounts_table().await?;
        let mut conn = self.pool.acquire().await?;
        let mut tx = conn.begin().await?;
        set_lock_timeout(&mut tx).await?;
        if has_short_waits {
            set_short_lock_timeout(&mut tx).await?;
        }
        let applied = self.apply_observations(&mut tx, &table, observations, origin);
        match applied.await {
            Ok(report) => {
                tx.commit().await?;
                Ok(report)
            }
            Err(failure) => {
                roll_back(tx).await;
                Err(failure)
            }
        }
    }

    /// Counts outcomes and wakes jobs, after the commit.
    pub(crate) fn after_commit(&self, source: &str, report: &ApplyReport) {
        for (outcome, count) in &report.outcomes {
            self.count(source, *outcome, *count);
        }
        self.notify_jobs(
            report.schedule_changed,
            report.reads_pending,
            report.events_recorded,
        );
    }
}
