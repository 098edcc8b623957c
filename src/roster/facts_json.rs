//! The JSON in the column `facts` of `leaver.employees`, kept apart from the domain types so that either can change.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Deserializer, Serialize};

use leaver_core::domain::{
    DateOrInstant, Departure, Employee, EmploymentStatus, Fact, HashedText, PositionFact,
    ReadFailure, Status, WorkEmail,
};

/// The column `facts` of `leaver.employees`, and of `leaver.observations`. Its member names are part of the stored data.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct StoredFacts {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<StoredStatusFact>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    status_changed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    employment_status: Option<StoredFact<StoredEmployment>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hire_date: Option<StoredFact<NaiveDate>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    termination_date: Option<StoredFact<StoredMoment>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    work_email: Option<StoredFact<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<StoredFact<bool>>,
    // Keyed hashes. Observations have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    job_title: Option<StoredFact<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    department: Option<StoredFact<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    manager: Option<StoredFact<String>>,
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    values_pending_since: Clearable<DateTime<Utc>>,
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    read_failed: Clearable<StoredReadFailure>,
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    status_unreadable_since: Clearable<DateTime<Utc>>,
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    employment_status_unreadable_since: Clearable<DateTime<Utc>>,
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    hire_date_unreadable_since: Clearable<DateTime<Utc>>,
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    termination_date_unreadable_since: Clearable<DateTime<Utc>>,
}

/// A member that an observation can clear. `Some(None)` is `null` in JSON: cleared. `None` is an absent member: unchanged.
type Clearable<T> = Option<Option<T>>;

fn nullable<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Clearable<T>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct StoredReadFailure {
    since: DateTime<Utc>,
    cause: String,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct StoredFact<T> {
    value: Option<T>,
    as_of: DateTime<Utc>,
    observed_at: DateTime<Utc>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct StoredStatusFact {
    #[serde(flatten)]
    stored: StoredFact<StoredStatus>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    word: Option<String>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredStatus {
    Active,
    Pending,
    Inactive,
    Unknown,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredEmployment {
    Terminated,
    Other,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredMoment {
    Day(NaiveDate),
    Instant(DateTime<Utc>),
}

/// The column `departure`. Its member names are part of the stored data.
#[derive(Serialize, Deserialize)]
pub(crate) struct StoredDeparture {
    carried_out_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    termination_date: Option<StoredMoment>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hire_date: Option<NaiveDate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    returned_at: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    by_person: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    while_employed: bool,
}

impl From<Departure> for StoredDeparture {
    fn from(departure: Departure) -> Self {
        Self {
            carried_out_at: departure.carried_out_at,
            termination_date: departure.termination_date.map(StoredMoment::from),
            hire_date: departure.hire_date,
            returned_at: departure.returned_at,
            by_person: departure.by_person,
            while_employed: departure.while_employed,
        }
    }
}

impl From<StoredDeparture> for Departure {
    fn from(stored: StoredDeparture) -> Self {
        Self {
            carried_out_at: stored.carried_out_at,
            termination_date: stored.termination_date.map(DateOrInstant::from),
            hire_date: stored.hire_date,
            returned_at: stored.returned_at,
            by_person: stored.by_person,
            while_employed: stored.while_employed,
        }
    }
}

impl From<DateOrInstant> for StoredMoment {
    fn from(date: DateOrInstant) -> Self {
        match date {
            DateOrInstant::Day(day) => Self::Day(day),
            DateOrInstant::Instant(instant) => Self::Instant(instant),
        }
    }
}

impl From<StoredMoment> for DateOrInstant {
    fn from(stored: StoredMoment) -> Self {
        match stored {
            StoredMoment::Day(day) => Self::Day(day),
            StoredMoment::Instant(instant) => Self::Instant(instant),
        }
    }
}

impl<T> StoredFact<T> {
    fn new<U>(fact: &Fact<U>, into: impl FnOnce(&U) -> T) -> Self {
        Self {
            value: fact.value.as_ref().map(into),
            as_of: fact.as_of,
            observed_at: fact.observed_at,
        }
    }

    fn into_fact<U>(self, into: impl FnOnce(T) -> U) -> Fact<U> {
        Fact {
            value: self.value.map(into),
            as_of: self.as_of,
            observed_at: self.observed_at,
        }
    }
}

// The facts contain the work e-mail.
impl fmt::Debug for StoredFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredFacts").finish_non_exhaustive()
    }
}

impl StoredFacts {
    /// Sets the facts that are present. Others keep their values.
    pub(crate) fn apply_to(self, employee: &mut Employee) {
        fn set<T>(fact: &mut Option<Fact<T>>, new: Option<Fact<T>>) {
            if new.is_some() {
                *fact = new;
            }
        }
        let status = self.status.map(|fact| {
            let word = fact.word;
            fact.stored.into_fact(|status| match status {
                StoredStatus::Active => Status::Active,
                StoredStatus::Pending => Status::Pending,
                StoredStatus::Inactive => Status::Inactive,
                StoredStatus::Unknown => Status::Unknown(word.unwrap_or_default()),
            })
        });
        set(&mut employee.status, status);
        employee.status_changed |= self.status_changed;
        let employment_status = self.employment_status.map(|fact| {
            fact.into_fact(|word| match word {
                StoredEmployment::Terminated => EmploymentStatus::Terminated,
                StoredEmployment::Other => EmploymentStatus::Other,
            })
        });
        set(&mut employee.employment_status, employment_status);
        let hire_date = self.hire_date.map(|fact| fact.into_fact(|day| day));
        set(&mut employee.hire_date, hire_date);
        let termination_date = self
            .termination_date
            .map(|fact| fact.into_fact(DateOrInstant::from));
        set(&mut employee.termination_date, termination_date);
        let work_email = self.work_email.map(|fact| Fact {
            value: fact.value.as_deref().and_then(WorkEmail::parse),
            as_of: fact.as_of,
            observed_at: fact.observed_at,
        });
        set(&mut employee.work_email, work_email);
        let deleted = self.deleted.map(|fact| fact.into_fact(|deleted| deleted));
        set(&mut employee.deleted, deleted);
        for (fact, stored) in [
            (PositionFact::JobTitle, self.job_title),
            (PositionFact::Department, self.department),
            (PositionFact::Manager, self.manager),
        ] {
            set(employee.position.get_mut(fact), stored.and_then(hashed));
        }
        if let Some(since) = self.values_pending_since {
            employee.values_pending_since = since;
        }
        if let Some(failure) = self.read_failed {
            employee.read_failed = failure.map(|failure| ReadFailure {
                since: failure.since,
                cause: failure.cause,
            });
        }
        let unreadable = &mut employee.unreadable;
        for (fact, since) in [
            (&mut unreadable.status, self.status_unreadable_since),
            (
                &mut unreadable.employment_status,
                self.employment_status_unreadable_since,
            ),
            (&mut unreadable.hire_date, self.hire_date_unreadable_since),
            (
                &mut unreadable.termination_date,
                self.termination_date_unreadable_since,
            ),
        ] {
            if let Some(since) = since {
                *fact = since;
            }
        }
    }

    /// Returns the facts of an employee.
    pub(super) fn from_employee(employee: &Employee) -> Self {
        Self::of(None, employee)
    }

    /// Returns the facts that differ from those before.
    pub(super) fn changed(before: &Employee, employee: &Employee) -> Self {
        Self::of(Some(before), employee)
    }

    fn of(before: Option<&Employee>, employee: &Employee) -> Self {
        Self {
            status: changed(before, employee, |e| e.status.as_ref()).map(|fact| StoredStatusFact {
                stored: StoredFact::new(fact, |status| match status {
                    Status::Active => StoredStatus::Active,
                    Status::Pending => StoredStatus::Pending,
                    Status::Inactive => StoredStatus::Inactive,
                    Status::Unknown(_) => StoredStatus::Unknown,
                }),
                word: match &fact.value {
                    Some(Status::Unknown(word)) => Some(word.clone()),
                    _ => None,
                },
            }),
            status_changed: employee.status_changed
                && before.is_none_or(|before| !before.status_changed),
            employment_status: changed(before, employee, |e| e.employment_status.as_ref()).map(
                |fact| {
                    StoredFact::new(fact, |word| match word {
                        EmploymentStatus::Terminated => StoredEmployment::Terminated,
                        EmploymentStatus::Other => StoredEmployment::Other,
                    })
                },
            ),
            hire_date: changed(before, employee, |e| e.hire_date.as_ref())
                .map(|fact| StoredFact::new(fact, |day| *day)),
            termination_date: changed(before, employee, |e| e.termination_date.as_ref())
                .map(|fact| StoredFact::new(fact, |date| StoredMoment::from(*date))),
            work_email: changed(before, employee, |e| e.work_email.as_ref())
                .map(|fact| StoredFact::new(fact, |email| email.expose().to_owned())),
            deleted: changed(before, employee, |e| e.deleted.as_ref())
                .map(|fact| StoredFact::new(fact, |deleted| *deleted)),
            job_title: position(before, employee, PositionFact::JobTitle),
            department: position(before, employee, PositionFact::Department),
            manager: position(before, employee, PositionFact::Manager),
            values_pending_since: clearable(before, employee, |e| e.values_pending_since),
            read_failed: clearable(before, employee, |e| e.read_failed.as_ref()).map(|failure| {
                failure.map(|failure| StoredReadFailure {
                    since: failure.since,
                    cause: failure.cause.clone(),
                })
            }),
            status_unreadable_since: clearable(before, employee, |e| e.unreadable.status),
            employment_status_unreadable_since: clearable(before, employee, |e| {
                e.unreadable.employment_status
            }),
            hire_date_unreadable_since: clearable(before, employee, |e| e.unreadable.hire_date),
            termination_date_unreadable_since: clearable(before, employee, |e| {
                e.unreadable.termination_date
            }),
        }
    }

    /// Removes the failure of a read, which is no fact of the HR system.
    pub(super) fn without_read_failure(mut self) -> Self {
        self.read_failed = None;
        self
    }
}

/// Returns a fact about the position, unless only changes are wanted: observations do not have it.
fn position(
    before: Option<&Employee>,
    employee: &Employee,
    fact: PositionFact,
) -> Option<StoredFact<String>> {
    let known = employee.position.get(fact).as_ref();
    let known = known.filter(|_| before.is_none())?;
    Some(StoredFact::new(known, HashedText::to_stored))
}

/// Returns a stored fact about the position. One that cannot be read counts as unknown.
fn hashed(stored: StoredFact<String>) -> Option<Fact<HashedText>> {
    let value = match stored.value {
        Some(text) => Some(HashedText::from_stored(&text)?),
        None => None,
    };
    Some(Fact {
        value,
        as_of: stored.as_of,
        observed_at: stored.observed_at,
    })
}

/// Returns a fact unless it was known before.
fn changed<'a, T: PartialEq>(
    before: Option<&'a Employee>,
    employee: &'a Employee,
    fact: impl Fn(&'a Employee) -> Option<&'a Fact<T>>,
) -> Option<&'a Fact<T>> {
    let known = before.and_then(&fact);
    fact(employee).filter(|fact| known != Some(*fact))
}

/// Returns a member that an observation can clear, unless it was the same before.
fn clearable<'a, T: PartialEq>(
    before: Option<&'a Employee>,
    employee: &'a Employee,
    member: impl Fn(&'a Employee) -> Option<T>,
) -> Clearable<T> {
    let (known, now) = (before.and_then(&member), member(employee));
    (known != now).then_some(now)
}
