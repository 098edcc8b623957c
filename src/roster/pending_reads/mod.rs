//! Employees to read over the API, since a change was reported without values. A pending read survives a crash. Only a
//! read that began after the change deletes it.

pub mod store;

use chrono::{DateTime, Utc};

use leaver_core::domain::{Employee, EmployeeKey};

/// A pending read of one employee.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PendingRead {
    /// The employee.
    pub key: EmployeeKey,
    /// When the reported change happened. Only a read that begins later returns its values.
    pub since: DateTime<Utc>,
    /// How often it failed.
    pub attempts: i32,
    /// When it first failed permanently.
    pub failed_since: Option<DateTime<Utc>>,
}

/// Returns the read that an employee waits for, if any. None is needed if the employee was deleted after the change.
#[must_use]
pub(crate) fn for_employee(employee: &Employee) -> Option<PendingRead> {
    let since = employee.values_pending_since?;
    let is_deleted = employee
        .deleted
        .as_ref()
        .is_some_and(|fact| fact.value == Some(true) && fact.as_of > since);
    (!is_deleted).then(|| PendingRead {
        key: employee.key.clone(),
        since,
        attempts: 0,
        failed_since: None,
    })
}
