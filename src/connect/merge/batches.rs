//! A read of one linked account, after a check that Merge's own data are complete.

use chrono::{DateTime, Utc};

use super::withheld::WithheldFields;
use super::{EmployeePages, LinkedAccount, MergeApi};
use crate::connect::{EmployeeBatch, ReadError};
use leaver_core::providers::ModelSync;

/// Merge's id of the Common Model that we read.
const EMPLOYEE_MODEL: &str = "hris.Employee";

/// The batches of one read, one per page.
pub(crate) struct EmployeeBatches<'a> {
    api: &'a MergeApi,
    account: &'a LinkedAccount,
    pages: EmployeePages<'a>,
    is_full: bool,
    is_checked: bool,
    withheld: WithheldFields,
    has_records: bool,
}

impl MergeApi {
    /// Starts a read of an account's employees: all, or those modified after `since`.
    pub(crate) fn batches<'a>(
        &'a self,
        account: &'a LinkedAccount,
        since: Option<DateTime<Utc>>,
    ) -> EmployeeBatches<'a> {
        EmployeeBatches {
            api: self,
            account,
            pages: self.employees(account, since),
            is_full: since.is_none(),
            is_checked: false,
            withheld: WithheldFields::default(),
            has_records: false,
        }
    }
}

impl EmployeeBatches<'_> {
    /// Fetches the next batch; `None` after the last.
    ///
    /// # Errors
    /// [`ReadError`]; [`ReadError::NotReady`] if Merge's own data are not complete.
    pub(crate) async fn next(&mut self) -> Result<Option<EmployeeBatch>, ReadError> {
        if !self.is_checked {
            self.api.check_source(self.account).await?;
            self.is_checked = true;
        }
        let Some(page) = self.pages.next().await? else {
            if self.is_full && !self.has_records {
                return Err(ReadError::NoEmployees);
            }
            let warnings = self.withheld.take_warnings(self.is_full);
            return Ok((!warnings.is_empty()).then(|| EmployeeBatch {
                warnings,
                changes: vec![],
                fallback_as_of: None,
            }));
        };
        self.withheld.record(&page.changes);
        self.has_records |= !page.changes.is_empty();
        let causes = page.bad_entries.iter().map(|bad| bad.cause.to_string());
        Ok(Some(EmployeeBatch {
            warnings: causes.collect(),
            changes: page.changes,
            fallback_as_of: None,
        }))
    }
}

impl MergeApi {
    /// Checks that Merge's own data of an account are complete.
    ///
    /// # Errors
    /// [`ReadError`]; [`ReadError::NotReady`] if they are not.
    pub(in crate::connect) async fn check_source(
        &self,
        account: &LinkedAccount,
    ) -> Result<(), ReadError> {
        let connection = self.connection(account).await?;
        if let Some(problem) = connection.uncertainty() {
            return Err(ReadError::NotReady { problem });
        }
        let models = self.sync_status(account).await?;
        let problem = models
            .iter()
            .find(|model| model.model_id == EMPLOYEE_MODEL)
            .map_or(
                Some("Merge reports no sync of employees for this linked account"),
                ModelSync::uncertainty,
            );
        problem.map_or(Ok(()), |problem| Err(ReadError::NotReady { problem }))
    }
}
