//! The facts known about one employee.

use chrono::{DateTime, NaiveDate, Utc};

use super::{
    AccountId, DateOrInstant, DeliveryId, EmployeeId, EmploymentStatus, HashedText, Position,
    PositionFact, SourceName, Status, Tenant, WorkEmail,
};

/// Identifies an employee. The id is unique only within its source and tenant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmployeeKey {
    /// The source that reports the employee.
    pub source: SourceName,
    /// The company.
    pub tenant: Tenant,
    /// The provider's id.
    pub employee_id: EmployeeId,
}

/// One fact: a value and two times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact<T> {
    /// The value, or `None` if the source states that there is none.
    pub value: Option<T>,
    /// When the value was valid, according to the source. A fact with a later time replaces an earlier one.
    pub as_of: DateTime<Utc>,
    /// When this service received it.
    pub observed_at: DateTime<Utc>,
}

/// Facts that were reported last with a value that cannot be read, each with the time of that report.
///
/// The older value stays known. An entry is removed once a value of the same time or a later one is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnreadableFacts {
    /// The status.
    pub status: Option<DateTime<Utc>>,
    /// The employment status.
    pub employment_status: Option<DateTime<Utc>>,
    /// The hire date.
    pub hire_date: Option<DateTime<Utc>>,
    /// The termination date.
    pub termination_date: Option<DateTime<Utc>>,
}

/// An end of employment that was carried out: the account was deactivated or found inactive, and its sessions ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departure {
    /// When it was carried out.
    pub carried_out_at: DateTime<Utc>,
    /// The termination date known then.
    pub termination_date: Option<DateOrInstant>,
    /// The hire date known then.
    pub hire_date: Option<NaiveDate>,
    /// When access was given back, by a person or after newer facts.
    pub returned_at: Option<DateTime<Utc>>,
    /// True if a person ended access by hand, without a statement of the HR system.
    pub by_person: bool,
    /// True if the HR system has reported the person as employed then and since: a person's decision ended the access.
    pub while_employed: bool,
}

/// A decided deactivation that the database did not carry out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// When it failed first.
    pub since: DateTime<Utc>,
    /// When it is tried again.
    pub retry_at: DateTime<Utc>,
    /// Why, with the policy, trigger or constraint where the database names it. It contains no values of the row.
    pub reason: String,
}

/// Permanent failures of the read of a changed employee, over so long a time that a person has to decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadFailure {
    /// When the read first failed permanently.
    pub since: DateTime<Utc>,
    /// Why it failed last. It contains no key and no part of a response.
    pub cause: String,
}

/// A roster entry: all that the rules depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Employee {
    /// Identifies the employee.
    pub key: EmployeeKey,
    /// True if the person is employed.
    pub status: Option<Fact<Status>>,
    /// True if the status was reported as changed, or two different statuses were observed.
    pub status_changed: bool,
    /// The employment status, from providers that report one.
    pub employment_status: Option<Fact<EmploymentStatus>>,
    /// First day of employment.
    pub hire_date: Option<Fact<NaiveDate>>,
    /// Last day of employment, or the instant at which it ends.
    pub termination_date: Option<Fact<DateOrInstant>>,
    /// The e-mail that identifies the account.
    pub work_email: Option<Fact<WorkEmail>>,
    /// True if the record was deleted.
    pub deleted: Option<Fact<bool>>,
    /// The position, where its facts are configured. No decision depends on it.
    pub position: Position<Option<Fact<HashedText>>>,
    /// The facts whose latest report cannot be read.
    pub unreadable: UnreadableFacts,
    /// The time of a change whose values are not known yet.
    pub values_pending_since: Option<DateTime<Utc>>,
    /// The failure to read these values, once a person has to decide. It is removed together with `values_pending_since`.
    pub read_failed: Option<ReadFailure>,
    /// The linked account.
    pub account_id: Option<AccountId>,
    /// When access ends, if that is scheduled.
    pub access_ends_at: Option<DateTime<Utc>>,
    /// When Leaver deactivated the account, while that is still in effect.
    pub deactivated_at: Option<DateTime<Utc>>,
    /// The last end of employment that was carried out. It is kept until a later employment is known.
    pub departure: Option<Departure>,
    /// The deactivation that the database did not carry out, if one is due.
    pub blocked: Option<Blocked>,
    /// Since when the person is known to have left while no account is found.
    pub without_account_since: Option<DateTime<Utc>>,
    /// Since when the record is missing from complete reads of all employees.
    pub missing_since: Option<DateTime<Utc>>,
    /// The linked account through which the record was last reported, from providers that have linked accounts.
    pub linked_account_id: Option<String>,
    /// When the record was first observed.
    pub first_observed_at: Option<DateTime<Utc>>,
    /// The delivery with the newest facts.
    pub last_delivery_id: Option<DeliveryId>,
    /// When a value last changed, by this service's clock. A report of the same value does not count.
    pub modified_at: Option<DateTime<Utc>>,
}

impl Employee {
    /// Returns an employee without facts.
    #[must_use]
    pub fn new(key: EmployeeKey) -> Self {
        Self {
            key,
            status: None,
            status_changed: false,
            employment_status: None,
            hire_date: None,
            termination_date: None,
            work_email: None,
            deleted: None,
            position: Position::default(),
            unreadable: UnreadableFacts::default(),
            values_pending_since: None,
            read_failed: None,
            account_id: None,
            access_ends_at: None,
            deactivated_at: None,
            departure: None,
            blocked: None,
            without_account_since: None,
            missing_since: None,
            linked_account_id: None,
            first_observed_at: None,
            last_delivery_id: None,
            modified_at: None,
        }
    }

    /// Returns whether both have the same values. Times, the account and its deactivation are ignored.
    #[must_use]
    pub fn has_same_values(&self, other: &Self) -> bool {
        fn same<T: PartialEq>(one: Option<&Fact<T>>, other: Option<&Fact<T>>) -> bool {
            one.map(|fact| &fact.value) == other.map(|fact| &fact.value)
        }
        same(self.status.as_ref(), other.status.as_ref())
            && self.status_changed == other.status_changed
            && same(
                self.employment_status.as_ref(),
                other.employment_status.as_ref(),
            )
            && same(self.hire_date.as_ref(), other.hire_date.as_ref())
            && same(
                self.termination_date.as_ref(),
                other.termination_date.as_ref(),
            )
            && same(self.work_email.as_ref(), other.work_email.as_ref())
            && same(self.deleted.as_ref(), other.deleted.as_ref())
            && self.unreadable == other.unreadable
            && self.values_pending_since == other.values_pending_since
            && self.read_failed == other.read_failed
    }

    /// Returns true if a list of employees shows the same values for both.
    ///
    /// An unknown value equals an empty one. `status_changed`, `unreadable`, `values_pending_since` and
    /// `read_failed` are ignored.
    #[must_use]
    pub fn has_same_listed_values(&self, other: &Self) -> bool {
        fn value<T>(fact: Option<&Fact<T>>) -> Option<&T> {
            fact.and_then(|fact| fact.value.as_ref())
        }
        value(self.status.as_ref()) == value(other.status.as_ref())
            && value(self.employment_status.as_ref()) == value(other.employment_status.as_ref())
            && value(self.hire_date.as_ref()) == value(other.hire_date.as_ref())
            && value(self.termination_date.as_ref()) == value(other.termination_date.as_ref())
            && value(self.work_email.as_ref()) == value(other.work_email.as_ref())
            && value(self.deleted.as_ref()) == value(other.deleted.as_ref())
    }

    /// Returns whether a fact about the position differs. One that was unknown, or whose hash has another key, does not.
    #[must_use]
    pub fn has_moved(&self, before: &Self, fact: PositionFact) -> bool {
        let known = before.position.get(fact).as_ref();
        let Some((known, new)) = known.zip(self.position.get(fact).as_ref()) else {
            return false;
        };
        match (&known.value, &new.value) {
            (Some(known), Some(new)) => known.has_same_key(new) && known != new,
            (None, None) => false,
            _ => true,
        }
    }

    /// Returns when a person ended access by hand, if a later employment is known now. A status of active alone is none: the
    /// HR system may have reported it all the time. The same holds for a hire date that was known at the end.
    #[must_use]
    pub fn rehired_after_end_by_hand(&self) -> Option<DateTime<Utc>> {
        let departure = self.departure?;
        let ended_at = departure.carried_out_at;
        if !departure.by_person || departure.returned_at.is_some() {
            return None;
        }
        let is_later = self.hire_date()? > ended_at.date_naive();
        let is_repeated = departure.while_employed && self.has_hire_date_of_departure();
        (is_later && !is_repeated).then_some(ended_at)
    }

    /// Returns whether the hire date was known already when the last end was carried out.
    #[must_use]
    pub fn has_hire_date_of_departure(&self) -> bool {
        let known = self.departure.and_then(|departure| departure.hire_date);
        known.is_some() && known == self.hire_date()
    }

    /// Returns the status, if one is known.
    #[must_use]
    pub fn status(&self) -> Option<&Status> {
        self.status.as_ref()?.value.as_ref()
    }

    /// Returns the work e-mail, if one is known.
    #[must_use]
    pub fn work_email(&self) -> Option<&WorkEmail> {
        self.work_email.as_ref()?.value.as_ref()
    }

    /// Returns the hire date, if one is known.
    #[must_use]
    pub fn hire_date(&self) -> Option<NaiveDate> {
        self.hire_date.as_ref()?.value
    }

    /// Returns whether the record is known to be deleted.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.deleted
            .as_ref()
            .is_some_and(|fact| fact.value == Some(true))
    }

    /// Returns the termination date, if one is known, and when it was observed.
    #[must_use]
    pub fn termination_date(&self) -> Option<(DateOrInstant, DateTime<Utc>)> {
        let fact = self.termination_date.as_ref()?;
        Some((fact.value?, fact.observed_at))
    }
}
