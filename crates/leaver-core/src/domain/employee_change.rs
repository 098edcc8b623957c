//! The content of a delivery or an API read about one employee, in a form common to all providers.

use chrono::{DateTime, NaiveDate, Utc};

use super::{EmployeeId, HashedText, Position, Tenant, WorkEmail};

/// A report of a source about one employee at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmployeeChange {
    /// The company within which `employee_id` is unique.
    pub tenant: Tenant,
    /// The provider's id of the employee.
    pub employee_id: EmployeeId,
    /// The kind of change.
    pub kind: ChangeKind,
    /// When the facts were valid, according to the source, or `None` if the body has no time.
    pub as_of: Option<DateTime<Utc>>,
    /// The reported facts.
    pub facts: Facts,
    /// True if a change is reported without its values. They have to be read over the API.
    pub notification_only: bool,
    /// The linked account that reports it, from providers that have linked accounts.
    pub linked_account: Option<String>,
}

/// The kind of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// The record is new.
    Created,
    /// The record changed. Entries without a kind count as updates.
    Updated,
    /// The record was deleted in the HR system.
    Deleted,
}

/// The facts that the rules need. Other data, such as pay or birth dates, are never parsed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Facts {
    /// True if the person is employed.
    pub status: Field<Status>,
    /// True if the status is listed among the changed fields.
    pub status_changed: bool,
    /// The employment status, from providers that report one.
    pub employment_status: Field<EmploymentStatus>,
    /// First day of the current employment.
    pub hire_date: Field<NaiveDate>,
    /// Last day of employment, or the instant at which it ends.
    pub termination_date: Field<DateOrInstant>,
    /// The e-mail that identifies the account.
    pub work_email: Field<WorkEmail>,
    /// The position, where its facts are configured. No decision depends on it. Boxed, since most companies do without it and
    /// many rows can wait in memory.
    pub position: Option<Box<Position<PostedText>>>,
}

/// A posted text of the position.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PostedText {
    /// The value.
    pub value: Field<HashedText>,
    /// When it was valid, if that is known and can be later than the change.
    pub as_of: Option<DateTime<Utc>>,
}

/// A field of a change. An absent field changes nothing; an empty one states that there is no value. An unreadable one
/// states that there is a value, but not which.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Field<T> {
    /// The field is missing.
    #[default]
    Absent,
    /// The field is null or blank.
    Empty,
    /// The field has a value that cannot be read, for example a date in an unknown format.
    Unreadable,
    /// The field has a value.
    Value(T),
}

impl<T> Field<T> {
    /// Returns the value, if there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Empty | Self::Unreadable => None,
        }
    }
}

/// True if a person is employed.
///
/// Of two statuses with the same `as_of` the greater one wins, so the result does not depend on arrival order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// The person is employed.
    Active,
    /// The employment has not begun.
    Pending,
    /// Another word, cut to 40 characters. It never counts as inactive.
    Unknown(String),
    /// The person is not employed. The employment ended or has not begun.
    Inactive,
}

/// An employment status. Customers edit the list of words; only one of them has a fixed meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EmploymentStatus {
    /// Any other word, for example full-time, contractor or on leave.
    Other,
    /// `Terminated`, which customers cannot rename:
    /// <https://documentation.bamboohr.com/docs/list-of-field-names>, read on 22 November 2026.
    Terminated,
}

/// A calendar day or an instant. A day needs a time zone and a cut-off to become an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DateOrInstant {
    /// A calendar day in the time zone of the source.
    Day(NaiveDate),
    /// An instant.
    Instant(DateTime<Utc>),
}
