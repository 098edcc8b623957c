//! The JSON in the column `facts` of `leaver.employees`, kept apart from the domain types so that either can change.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use leaver_core::domain::{
    DateOrInstant, Departure, Employee, EmploymentStatus, Fact, ReadFailure, Status,
    UnreadableFacts, WorkEmail,
};

/// The column `facts`. Its member names are part of the stored data.
#[derive(Default, Serialize, Deserialize)]
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
    #[serde(skip_serializing_if = "Option::is_none")]
    values_pending_since: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_failed: Option<StoredReadFailure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_unreadable_since: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    employment_status_unreadable_since: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hire_date_unreadable_since: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    termination_date_unreadable_since: Option<DateTime<Utc>>,
}

#[derive(Serialize, Deserialize)]
struct StoredReadFailure {
    since: DateTime<Utc>,
    cause: String,
}

#[derive(Serialize, Deserialize)]
struct StoredFact<T> {
    value: Option<T>,
    as_of: DateTime<Utc>,
    observed_at: DateTime<Utc>,
}

#[derive(Serialize, Deserialize)]
struct StoredStatusFact {
    #[serde(flatten)]
    stored: StoredFact<StoredStatus>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    word: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredStatus {
    Active,
    Pending,
    Inactive,
    Unknown,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredEmployment {
    Terminated,
    Other,
}

#[derive(Serialize, Deserialize)]
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

impl StoredFacts {
    /// Sets the facts of a new employee.
    pub(crate) fn apply_to(self, employee: &mut Employee) {
        employee.status = self.status.map(|fact| {
            let word = fact.word;
            fact.stored.into_fact(|status| match status {
                StoredStatus::Active => Status::Active,
                StoredStatus::Pending => Status::Pending,
                StoredStatus::Inactive => Status::Inactive,
                StoredStatus::Unknown => Status::Unknown(word.unwrap_or_default()),
            })
        });
        employee.status_changed = self.status_changed;
        employee.employment_status = self.employment_status.map(|fact| {
            fact.into_fact(|word| match word {
                StoredEmployment::Terminated => EmploymentStatus::Terminated,
                StoredEmployment::Other => EmploymentStatus::Other,
            })
        });
        employee.hire_date = self.hire_date.map(|fact| fact.into_fact(|day| day));
        employee.termination_date = self
            .termination_date
            .map(|fact| fact.into_fact(DateOrInstant::from));
        employee.work_email = self.work_email.map(|fact| Fact {
            value: fact.value.as_deref().and_then(WorkEmail::parse),
            as_of: fact.as_of,
            observed_at: fact.observed_at,
        });
        employee.deleted = self.deleted.map(|fact| fact.into_fact(|deleted| deleted));
        employee.values_pending_since = self.values_pending_since;
        employee.read_failed = self.read_failed.map(|failure| ReadFailure {
            since: failure.since,
            cause: failure.cause,
        });
        employee.unreadable = UnreadableFacts {
            status: self.status_unreadable_since,
            employment_status: self.employment_status_unreadable_since,
            hire_date: self.hire_date_unreadable_since,
            termination_date: self.termination_date_unreadable_since,
        };
    }

    /// Returns the facts of an employee.
    pub(super) fn from_employee(employee: &Employee) -> Self {
        Self {
            status: employee.status.as_ref().map(|fact| StoredStatusFact {
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
            status_changed: employee.status_changed,
            employment_status: employee.employment_status.as_ref().map(|fact| {
                StoredFact::new(fact, |word| match word {
                    EmploymentStatus::Terminated => StoredEmployment::Terminated,
                    EmploymentStatus::Other => StoredEmployment::Other,
                })
            }),
            hire_date: employee
                .hire_date
                .as_ref()
                .map(|fact| StoredFact::new(fact, |day| *day)),
            termination_date: employee
                .termination_date
                .as_ref()
                .map(|fact| StoredFact::new(fact, |date| StoredMoment::from(*date))),
            work_email: employee
                .work_email
                .as_ref()
                .map(|fact| StoredFact::new(fact, |email| email.expose().to_owned())),
            deleted: employee
                .deleted
                .as_ref()
                .map(|fact| StoredFact::new(fact, |deleted| *deleted)),
            values_pending_since: employee.values_pending_since,
            read_failed: employee
                .read_failed
                .as_ref()
                .map(|failure| StoredReadFailure {
                    since: failure.since,
                    cause: failure.cause.clone(),
                }),
            status_unreadable_since: employee.unreadable.status,
            employment_status_unreadable_since: employee.unreadable.employment_status,
            hire_date_unreadable_since: employee.unreadable.hire_date,
            termination_date_unreadable_since: employee.unreadable.termination_date,
        }
    }
}
