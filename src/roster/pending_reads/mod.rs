//! Whom to read: employees of whom a change was reported without values. What is due outlives a crash, and is
//! forgotten only by a read that began after the change.

pub mod store;

use chrono::{DateTime, Utc};

use leaver_core::domain::{Employee, EmployeeKey};

/// A read of one employee that is due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PendingRead {
    /// Whom to read.
    pub key: EmployeeKey,
    /// When the reported change happened; only a read that begins later answers it.
    pub since: DateTime<Utc>,
    /// How often it has failed.
    pub attempts: i32,
}

/// The read that an entry waits for, if any. A removal that came after the change leaves nothing to read.
#[must_use]
pub fn for_employee(employee: &Employee) -> Option<PendingRead> {
    let since = employee.read_due?;
    let gone = employee
        .removed
        .as_ref()
        .is_some_and(|fact| fact.value == Some(true) && fact.as_of > since);
    (!gone).then(|| PendingRead {
        key: employee.key.clone(),
        since,
        attempts: 0,
    })
}
