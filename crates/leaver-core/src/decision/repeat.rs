//! Repeats of known values: a complete read repeats the values of all employees, each at a later time.

use chrono::{DateTime, Days, NaiveTime, Utc};

use super::assess::employment_status;
use crate::domain::{DateOrInstant, Employee, EmploymentStatus, Fact, Status, UnreadableFacts};

/// A date matters for at most this many days: a day in any time zone, and the age of an old termination date.
const DATE_MATTERS_FOR: Days = Days::new(10);

/// Returns whether an assessment can depend on the time of a later repeat of the known values, under any policy.
///
/// It cannot for a person who is not inactive and has no termination date. It cannot either for an inactive person if all
/// facts are newer than all dates and no employment status contradicts the status.
#[must_use]
pub fn can_matter(employee: &Employee) -> bool {
    if employee.values_pending_since.is_some() || employee.unreadable != UnreadableFacts::default()
    {
        return true;
    }
    let employment = employment_status(employee);
    if employee.status() != Some(&Status::Inactive) {
        return employment == Some(EmploymentStatus::Terminated)
            || employee.termination_date().is_some();
    }
    employment == Some(EmploymentStatus::Other) || !is_newer_than_all_dates(employee)
}

fn is_newer_than_all_dates(employee: &Employee) -> bool {
    let hired = employee.hire_date();
    let terminated = employee.termination_date().map(|(date, _)| match date {
        DateOrInstant::Day(day) => day,
        DateOrInstant::Instant(instant) => instant.date_naive(),
    });
    let Some(latest) = hired.max(terminated) else {
        return true;
    };
    let Some(over) = latest.checked_add_days(DATE_MATTERS_FOR) else {
        return false;
    };
    let over = over.and_time(NaiveTime::MIN).and_utc();
    let Employee {
        status,
        employment_status,
        hire_date,
        termination_date,
        ..
    } = employee;
    is_newer(status.as_ref(), over)
        && is_newer(employment_status.as_ref(), over)
        && is_newer(hire_date.as_ref(), over)
        && is_newer(termination_date.as_ref(), over)
}

fn is_newer<T>(fact: Option<&Fact<T>>, than: DateTime<Utc>) -> bool {
    fact.is_none_or(|fact| fact.as_of > than && fact.observed_at > than)
}
