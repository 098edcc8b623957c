//! Records that the values of a change cannot be read over the API, so that a person decides.

use sqlx::Connection;

use super::Engine;
use super::execute::{ExecutionReport, execute};
use super::failure::{Failure, run_catching};
use super::origin::Origin;
use crate::db::transaction::{roll_back, set_lock_timeout};
use crate::roster;
use leaver_core::domain::{EmployeeKey, ReadFailure};

impl Engine {
    /// Stores the failure with the employee and executes the decision that follows, in one transaction. Returns false if
    /// the employee waits for no values any more; nothing was written then.
    ///
    /// # Errors
    /// Returns the failure if the transaction failed; nothing was written then.
    pub(crate) async fn record_read_failure(
        &self,
        key: &EmployeeKey,
        failure: &ReadFailure,
    ) -> Result<bool, Failure> {
        let recorded = self.store_read_failure(key, failure);
        let recorded = self.pool.with_silence_timeout(recorded).await;
        let recorded = recorded.inspect_err(|_: &Failure| self.forget_accounts_table())?;
        if let Some(report) = &recorded {
            for outcome in report.outcomes.values() {
                self.count(key.source.as_str(), *outcome, 1);
            }
            self.notify_jobs(
                report.schedule_changed,
                report.reads_pending,
                report.events_recorded,
            );
        }
        Ok(recorded.is_some())
    }

    async fn store_read_failure(
        &self,
        key: &EmployeeKey,
        failure: &ReadFailure,
    ) -> Result<Option<ExecutionReport>, Failure> {
        let table = self.accounts_table().await?;
        let now = self.clock.now();
        let mut conn = self.pool.acquire().await?;
        let mut tx = conn.begin().await?;
        set_lock_timeout(&mut tx).await?;
        let sharing = self.policies.sharing(&table);
        let keys = std::slice::from_ref(key);
        let mut employees = roster::store::lock(&mut tx, keys, &sharing, now).await?;
        employees.retain(|employee| roster::pending_reads::for_employee(employee).is_some());
        if employees.is_empty() {
            roll_back(tx).await;
            return Ok(None);
        }
        employees.retain(|employee| {
            let known = employee.read_failed.as_ref();
            known.is_none_or(|known| known.cause != failure.cause)
        });
        if employees.is_empty() {
            roll_back(tx).await;
            return Ok(Some(ExecutionReport::default()));
        }
        for employee in &mut employees {
            employee.read_failed = Some(failure.clone());
        }
        let origin = Origin::api();
        let work = execute(&mut tx, &table, &self.policies, employees, &origin, now);
        match run_catching(work).await {
            Ok(report) => {
                tx.commit().await?;
                Ok(Some(report))
            }
            Err(failed) => {
                roll_back(tx).await;
                Err(failed)
            }
        }
    }
}
