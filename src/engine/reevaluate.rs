//! Evaluates employees again without a new observation: a scheduled end has come, or drift found access that should have
//! ended.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};

use super::Engine;
use super::execute::{Outcome, execute};
use super::failure::{Failure, run_catching};
use crate::base::halves::Halves;
use crate::db::transaction::{roll_back, set_lock_timeout, set_short_lock_timeout};
use crate::engine::accounts::AccountsTable;
use crate::engine::origin::Origin;
use crate::roster::{self, sharing::Sharing};
use leaver_core::domain::{Employee, EmployeeKey};

/// Time limit for splitting. The rows are locked meanwhile; employees that are left need another transaction.
const SPLIT_LIMIT: Duration = Duration::from_secs(10);

/// The executed part of a list of employees.
#[derive(Debug, Default)]
pub(crate) struct PartialExecution {
    /// The outcome of each employee for whom the decision was executed.
    pub outcomes: HashMap<EmployeeKey, Outcome>,
    /// Why the database did not carry out a decision, by employee.
    pub blocked: HashMap<EmployeeKey, String>,
    /// Employees whose changes wait, since the origin defers them.
    pub deferred: Vec<EmployeeKey>,
    /// Employees for whom it failed alone.
    pub failed: BTreeSet<EmployeeKey>,
    /// Employees who were not tried in time. If there are any, somebody else was executed or failed alone.
    pub untried: Vec<EmployeeKey>,
    /// True if an event was recorded for a destination.
    pub events_recorded: bool,
    /// The last failure of one of the others.
    pub failure: Option<Failure>,
}

impl PartialExecution {
    /// Returns whether no employee is done with, and none failed alone.
    pub(crate) fn is_empty(&self) -> bool {
        self.outcomes.is_empty() && self.deferred.is_empty() && self.failed.is_empty()
    }

    fn add(&mut self, next: Self) {
        self.outcomes.extend(next.outcomes);
        self.blocked.extend(next.blocked);
        self.deferred.extend(next.deferred);
        self.failed.extend(next.failed);
        self.untried = next.untried;
        self.events_recorded |= next.events_recorded;
        self.failure = next.failure.or(self.failure.take());
    }
}

impl Engine {
    /// Evaluates these employees again and executes the decisions, in one transaction, or in more if it takes long.
    ///
    /// # Errors
    /// Returns the failure if a transaction failed; those before it stay committed.
    pub(crate) async fn reevaluate(
        &self,
        keys: &[EmployeeKey],
        origin: &Origin,
    ) -> Result<PartialExecution, Failure> {
        let mut all = PartialExecution {
            untried: keys.to_vec(),
            ..PartialExecution::default()
        };
        while !all.untried.is_empty() {
            let keys = std::mem::take(&mut all.untried);
            all.add(self.reevaluate_in_time(keys, origin).await?);
        }
        Ok(all)
    }

    async fn reevaluate_in_time(
        &self,
        mut keys: Vec<EmployeeKey>,
        origin: &Origin,
    ) -> Result<PartialExecution, Failure> {
        let table = self.accounts_table().await?;
        let now = self.clock.now();
        keys.sort();
        let executed = async {
            let mut conn = self.pool.acquire().await?;
            let mut tx = conn.begin().await?;
            set_lock_timeout(&mut tx).await?;
            let sharing = self.policies.sharing(&table);
            let employees = roster::store::lock(&mut tx, &keys, &sharing, now).await?;
            let executed = self.execute_partially(&mut tx, &table, employees, origin, now);
            match executed.await {
                Ok(executed) => {
                    tx.commit().await?;
                    Ok(executed)
                }
                Err(failure) => {
                    roll_back(tx).await;
                    Err(failure)
                }
            }
        };
        let executed = self.pool.with_silence_timeout(executed).await;
        let executed = executed.inspect_err(|_| self.forget_accounts_table())?;
        for (key, outcome) in &executed.outcomes {
            self.count(key.source.as_str(), *outcome, 1);
        }
        self.notify_jobs(false, false, executed.events_recorded);
        Ok(executed)
    }

    /// Stores that an account was found for these leavers, whose access does not change now.
    ///
    /// # Errors
    /// Returns the failure; nothing was stored then.
    pub(crate) async fn store_found_accounts(&self, keys: &[EmployeeKey]) -> Result<(), Failure> {
        let now = self.clock.now();
        let mut keys = keys.to_vec();
        keys.sort();
        let stored = async {
            let mut conn = self.pool.acquire().await?;
            let mut tx = conn.begin().await?;
            set_lock_timeout(&mut tx).await?;
            let mut employees =
                roster::store::lock(&mut tx, &keys, &Sharing::default(), now).await?;
            for employee in &mut employees {
                employee.without_account_since = None;
            }
            roster::store::save(&mut tx, &employees, now).await?;
            tx.commit().await
        };
        Ok(self.pool.with_silence_timeout(stored).await?)
    }

    /// Executes the decisions about all employees, and after a failure about halves, each behind a savepoint: one account
    /// that cannot be deactivated does not hold up the others. After a lock, the waits of the transaction are short.
    ///
    /// # Errors
    /// Returns an outage, or the failure of a savepoint; the transaction must be rolled back then.
    pub(crate) async fn execute_partially(
        &self,
        tx: &mut PgConnection,
        table: &AccountsTable,
        employees: Vec<Employee>,
        origin: &Origin,
        now: DateTime<Utc>,
    ) -> Result<PartialExecution, Failure> {
        let until = Instant::now() + SPLIT_LIMIT;
        let mut result = PartialExecution::default();
        let mut halves = Halves::new(employees);
        let mut has_short_waits = false;
        while let Some(part) = halves.next() {
            if !result.is_empty() && Instant::now() > until {
                result.untried.extend(part.into_iter().map(|e| e.key));
                continue;
            }
            let mut savepoint = tx.begin().await?;
            let tried = part.clone();
            let work = execute(&mut savepoint, table, &self.policies, tried, origin, now);
            match run_catching(work).await {
                Ok(report) => {
                    savepoint.commit().await?;
                    result.outcomes.extend(report.outcomes);
                    result.blocked.extend(report.blocked);
                    result.deferred.extend(report.deferred);
                    result.events_recorded |= report.events_recorded;
                }
                Err(failure) if failure.is_outage() => return Err(failure),
                Err(failure) => {
                    savepoint.rollback().await?;
                    if failure.is_lock() && !has_short_waits {
                        set_short_lock_timeout(tx).await?;
                        has_short_waits = true;
                    }
                    result.failure = Some(failure);
                    // A single one that failed is left as it is; the caller repeats it later.
                    let alone = halves.split(part).into_iter().flatten();
                    result.failed.extend(alone.map(|employee| employee.key));
                }
            }
        }
        Ok(result)
    }
}
