//! Employees by time of last change, page by page.
//!
//! Sorted by `modified_at`, then by key. An employee who changes between two pages moves to the end, so none is
//! skipped, but one may appear twice. `modified_at` is taken before its transaction commits: a client that polls with
//! `modified_after` should start a few minutes before the last time it received.

mod cursor;
mod filters;
pub(crate) mod store;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde::{Serialize, Serializer};

pub(crate) use self::cursor::Cursor;
pub(crate) use self::filters::{EmploymentFilter, UnknownStatus, parse_time};
use super::{date_or_instant, employment_status};
use leaver_core::domain::{
    AccountId, Employee, EmployeeId, Fact, SourceName, Status, Tenant, WorkEmail,
};

/// Largest page, in employees.
pub(crate) const MAX_PAGE_SIZE: u16 = 1_000;

/// Page size if none is given, in employees.
pub(crate) const DEFAULT_PAGE_SIZE: u16 = 100;

/// Selects employees.
#[derive(Clone, Debug, Default)]
pub(crate) struct EmployeeQuery {
    /// Only employees changed after this time, exclusive.
    pub modified_after: Option<DateTime<Utc>>,
    /// Only employees with this status.
    pub status: Option<EmploymentFilter>,
    /// Only employees of this source.
    pub source: Option<SourceName>,
    /// Continues after an earlier page: its `next` value.
    pub cursor: Option<Cursor>,
}

impl EmployeeQuery {
    /// Describes the filters for the audit log. The cursor, which names an employee, is left out.
    pub(crate) fn describe(&self, limit: u16) -> String {
        let mut parts = vec![];
        if let Some(after) = self.modified_after {
            let after = after.to_rfc3339_opts(SecondsFormat::AutoSi, true);
            parts.push(format!("changed after {after}"));
        }
        if let Some(status) = self.status {
            parts.push(format!("status {}", status.as_str()));
        }
        if let Some(source) = &self.source {
            parts.push(format!("source {source}"));
        }
        if self.cursor.is_some() {
            parts.push("a later page".to_owned());
        }
        parts.push(format!("at most {limit}"));
        format!("employees: {}", parts.join(", "))
    }
}

/// A page of employees.
#[derive(Serialize)]
pub(crate) struct Page {
    /// Cursor of the next page; `None` on the last one.
    pub next: Option<Cursor>,
    /// Employees on this page.
    pub results: Vec<EmployeeRow>,
}

/// An employee of the roster. It holds personal data, so it has no `Debug`.
#[derive(Serialize)]
pub(crate) struct EmployeeRow {
    /// Source of the employee.
    pub source: SourceName,
    /// Tenant of the employee.
    pub tenant: Tenant,
    /// ID in the HR system.
    pub employee_id: EmployeeId,
    /// `active`, `pending`, `inactive`, or the provider's own word.
    pub status: Option<String>,
    /// BambooHR's employment history status: `terminated` or `other`.
    pub employment_status: Option<&'static str>,
    /// Work e-mail, by which the account is found.
    #[serde(serialize_with = "exposed")]
    pub work_email: Option<WorkEmail>,
    /// First day of employment.
    pub hire_date: Option<NaiveDate>,
    /// End of employment: a date, or an instant in RFC 3339.
    pub termination_date: Option<String>,
    /// True if the HR system deleted the record.
    pub deleted: bool,
    /// Linked account.
    pub account_id: Option<AccountId>,
    /// Scheduled end of access.
    pub access_ends_at: Option<DateTime<Utc>>,
    /// Time of our deactivation, while the account is still inactive because of it.
    pub deactivated_at: Option<DateTime<Utc>>,
    /// Time of the first observation.
    pub first_observed_at: DateTime<Utc>,
    /// Time of the last change of a value, by Leaver's clock.
    pub modified_at: DateTime<Utc>,
}

impl EmployeeRow {
    fn new(
        employee: Employee,
        first_observed_at: DateTime<Utc>,
        modified_at: DateTime<Utc>,
    ) -> Self {
        fn value<T>(fact: Option<Fact<T>>) -> Option<T> {
            fact.and_then(|fact| fact.value)
        }
        Self {
            source: employee.key.source,
            tenant: employee.key.tenant,
            employee_id: employee.key.employee_id,
            status: value(employee.status).map(|status| match status {
                Status::Active => "active".to_owned(),
                Status::Pending => "pending".to_owned(),
                Status::Inactive => "inactive".to_owned(),
                Status::Unknown(word) => word,
            }),
            employment_status: value(employee.employment_status).map(employment_status),
            work_email: value(employee.work_email),
            hire_date: value(employee.hire_date),
            termination_date: value(employee.termination_date)
                .as_ref()
                .map(date_or_instant),
            deleted: value(employee.deleted).unwrap_or(false),
            account_id: employee.account_id,
            access_ends_at: employee.access_ends_at,
            deactivated_at: employee.deactivated_at,
            first_observed_at,
            modified_at,
        }
    }
}

#[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
fn exposed<S: Serializer>(email: &Option<WorkEmail>, to: S) -> Result<S::Ok, S::Error> {
    email.as_ref().map(WorkEmail::expose).serialize(to)
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
