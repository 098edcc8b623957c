//! Who changed: the roster, page by page, in the order in which changes were learned.
//!
//! The order is `modified_at`, then the key. Whoever changes while somebody turns the pages moves to the end, so
//! nobody is skipped, though one may come twice. A time is taken before its transaction commits: who asks again
//! and again with `modified_after` should ask from a few minutes before the last time seen.

mod cursor;
pub mod store;
mod words;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Serialize, Serializer};

pub use self::cursor::{BadCursor, Cursor};
pub use self::words::{BadTime, EmploymentFilter, UnknownStanding, parse_time};
use leaver_core::domain::{
    AccountId, DateOrInstant, Employee, EmployeeId, EmploymentStatus, Fact, SourceName, Status,
    Tenant, WorkEmail,
};

/// The largest page, in employees.
pub const MAX_PAGE_SIZE: u16 = 1_000;

/// The page of whoever does not say, in employees.
pub const DEFAULT_PAGE_SIZE: u16 = 100;

/// Which employees, and from where on.
#[derive(Clone, Debug, Default)]
pub struct EmployeeQuery {
    /// Only those that changed after this time, and not at it.
    pub modified_after: Option<DateTime<Utc>>,
    /// Only those who stand so.
    pub standing: Option<EmploymentFilter>,
    /// Only those of this source.
    pub source: Option<SourceName>,
    /// Only those after this place, which a page before gave.
    pub cursor: Option<Cursor>,
}

/// Some employees, and where to go on.
#[derive(Serialize)]
pub struct Page {
    /// The cursor of the next page; none when there is nobody more.
    pub next: Option<Cursor>,
    /// Who is on this page.
    pub results: Vec<EmployeeRow>,
}

/// An employee as a list shows them. It is personal data, so it does not print itself.
#[derive(Serialize)]
pub struct EmployeeRow {
    /// Who told us.
    pub source: SourceName,
    /// The company.
    pub tenant: Tenant,
    /// The HR system's id.
    pub employee_id: EmployeeId,
    /// active, pending, inactive, or the provider's own word where it is none of these.
    pub status: Option<String>,
    /// BambooHR's employment status: terminated or other.
    pub employment_status: Option<&'static str>,
    /// The address that ties the employee to an account.
    #[serde(serialize_with = "exposed")]
    pub work_email: Option<WorkEmail>,
    /// First day of employment.
    pub hire_date: Option<NaiveDate>,
    /// End of employment: a day, or an instant.
    pub termination_date: Option<String>,
    /// Whether the HR system has removed the record.
    pub deleted: bool,
    /// The link to an account.
    pub account_id: Option<AccountId>,
    /// When the timer will look at this employee.
    pub access_ends_at: Option<DateTime<Utc>>,
    /// When we switched the account off, while it is still off by our doing.
    pub deactivated_at: Option<DateTime<Utc>>,
    /// When we first heard of them.
    pub first_observed_at: DateTime<Utc>,
    /// When a value last changed, by our clock.
    pub modified_at: DateTime<Utc>,
}

impl EmployeeRow {
    fn of(
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
            employment_status: value(employee.employment_status).map(|status| match status {
                EmploymentStatus::Terminated => "terminated",
                EmploymentStatus::Other => "other",
            }),
            work_email: value(employee.work_email),
            hire_date: value(employee.hire_date),
            termination_date: value(employee.termination_date).map(|moment| match moment {
                DateOrInstant::Day(day) => day.to_string(),
                DateOrInstant::Instant(instant) => {
                    instant.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
                }
            }),
            deleted: value(employee.deleted).unwrap_or(false),
            account_id: employee.account_id,
            access_ends_at: employee.access_ends_at,
            deactivated_at: employee.deactivated_at,
            first_observed_at,
            modified_at,
        }
    }
}

#[expect(clippy::ref_option, reason = "serde gives the field as it is")]
fn exposed<S: Serializer>(email: &Option<WorkEmail>, to: S) -> Result<S::Ok, S::Error> {
    email.as_ref().map(WorkEmail::expose).serialize(to)
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
