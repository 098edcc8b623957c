//! What one delivery (or one API read) says of one employee, with the vendor's accent taken off.

use chrono::{DateTime, NaiveDate, Utc};

use super::{EmployeeId, Tenant, WorkEmail};

/// What one source says of one employee, as of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmployeeChange {
    /// The company inside which `employee_id` means something.
    pub tenant: Tenant,
    /// Who it is about.
    pub employee_id: EmployeeId,
    /// What kind of change the sender calls it.
    pub kind: ChangeKind,
    /// When the facts were true, by the sender's own account. `None` when the body does not say.
    pub as_of: Option<DateTime<Utc>>,
    /// What it says.
    pub facts: Facts,
    /// True when it names a change but carries no values, so that somebody must look them up.
    pub notification_only: bool,
}

/// What the sender calls a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// A new record.
    Created,
    /// Something about a record is different; also what an entry without an action means.
    Updated,
    /// The record is gone from the HR system.
    Deleted,
}

/// The facts that the rules need, and no others. Pay, birth dates and numbers of the state never get here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Whether the person works there.
    pub status: Field<Status>,
    /// True when the sender lists the status among the fields that changed.
    pub status_changed: bool,
    /// BambooHR's `employmentHistoryStatus`; only `Terminated` has a fixed meaning.
    pub employment_status: Field<EmploymentStatus>,
    /// First day of (the latest) employment.
    pub hire_date: Field<NaiveDate>,
    /// Last day, or the very instant, of employment.
    pub termination_date: Field<DateOrInstant>,
    /// The address that ties an employee to an account.
    pub work_email: Field<WorkEmail>,
}

/// A field of a change: absence is not a fact, an empty value is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Field<T> {
    /// The field did not come along, or could not be read: nothing is known.
    #[default]
    Absent,
    /// The field came along empty: there is no such value.
    Empty,
    /// The field came along.
    Value(T),
}

impl<T> Field<T> {
    /// The value, when there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Empty => None,
        }
    }
}

/// Whether somebody works there. The order is that of a tie between facts of the same moment: the
/// greater one wins, whichever came first, so the result does not depend on the order of arrival.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Works there.
    Active,
    /// Will work there (Merge).
    Pending,
    /// A word of the provider's own, at most 40 characters of it. It never means "inactive".
    Unknown(String),
    /// Does not work there (any more, or yet).
    Inactive,
}

/// BambooHR's employment status: of all words in that list only one has a fixed meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EmploymentStatus {
    /// Any word but `Terminated`: full-time, contractor, on leave.
    Other,
    /// `Terminated`, an entry that customers cannot rename.
    Terminated,
}

/// A calendar day, which needs a time zone and a cut-off to become an instant, or an instant already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DateOrInstant {
    /// A calendar day at the company.
    Day(NaiveDate),
    /// That very instant.
    Instant(DateTime<Utc>),
}
