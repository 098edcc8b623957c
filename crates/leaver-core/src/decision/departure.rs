//! The memory of ends that were carried out.
//!
//! An HR system that repeats a termination date reports no rehire. The departure keeps the date for that comparison.

use chrono::{DateTime, NaiveDate, Utc};

use super::access_end::{day_start, start_of};
use super::assess::employment_status;
use super::policy::Policy;
use crate::domain::{
    DateOrInstant, Departure, Employee, EmploymentStatus, Status, UnreadableFacts,
};

/// Returns whether the present departure of the employee was carried out.
#[must_use]
pub fn is_carried_out(employee: &Employee) -> bool {
    employee
        .departure
        .is_some_and(|departure| departure.returned_at.is_none())
}

/// Returns whether the end that the facts describe is the one that was carried out. Its account may be gone by now.
#[must_use]
pub fn is_settled(policy: &Policy, employee: &Employee, now: DateTime<Utc>) -> bool {
    let Some(departure) = employee.departure.filter(|_| is_carried_out(employee)) else {
        return false;
    };
    let has_begun_again =
        later_hire_date(policy, employee).is_some_and(|day| day_start(day, policy.timezone) <= now);
    // A date after the end may be that of another employment.
    let is_same_end = match (departure.termination_date, termination_date(employee)) {
        (Some(known), Some(date)) if known != date => {
            start_of(date, policy.timezone) <= departure.carried_out_at
        }
        _ => true,
    };
    !has_begun_again && is_same_end
}

/// Records that the account was deactivated, or found inactive and its sessions ended.
pub fn carried_out(employee: &mut Employee, now: DateTime<Utc>) {
    employee.departure = Some(departure_of(employee, now));
}

/// Records that a person ended access by hand, without a statement of the HR system.
pub fn ended_by_hand(employee: &mut Employee, now: DateTime<Utc>) {
    employee.departure = Some(Departure {
        by_person: true,
        ..departure_of(employee, now)
    });
}

fn departure_of(employee: &Employee, now: DateTime<Utc>) -> Departure {
    Departure {
        carried_out_at: now,
        termination_date: termination_date(employee),
        hire_date: employee.hire_date(),
        returned_at: None,
        by_person: false,
        while_employed: is_reported_as_employed(employee),
    }
}

/// Records that the HR system reports the person as not employed any more. An active status after that is news.
pub fn confirm(employee: &mut Employee) {
    let is_active = employee.status() == Some(&Status::Active);
    if let Some(departure) = &mut employee.departure
        && !is_active
    {
        departure.while_employed = false;
    }
}

/// Returns whether the status was reported after the present departure was carried out.
pub(super) fn is_reported_since(employee: &Employee) -> bool {
    let reported_at = employee.status.as_ref().map(|fact| fact.observed_at);
    let ended_at = employee
        .departure
        .filter(|departure| departure.returned_at.is_none())
        .map(|departure| departure.carried_out_at);
    ended_at.is_none_or(|ended_at| reported_at.is_some_and(|at| at > ended_at))
}

/// Returns whether a person's decision ended the access while the HR system reported the person as employed, and the
/// facts show no later employment.
///
/// A repeated status, or a termination date that is added to it, then gives no access back. Neither does a hire date that
/// the person could see, unless the HR system had announced an end before it.
#[must_use]
pub fn outlasts_the_facts(policy: &Policy, employee: &Employee) -> bool {
    employee.departure.is_some_and(|departure| {
        let known = departure.termination_date;
        departure.while_employed
            && departure.returned_at.is_none()
            && (known.is_none() || known == termination_date(employee))
            && later_hire_date(policy, employee).is_none_or(|_| {
                let is_announced = known.is_some() && !departure.by_person;
                employee.has_hire_date_of_departure() && !is_announced
            })
    })
}

/// Returns whether a later hire date is no newer fact: it was known at the end, and the HR system reported the person as
/// employed all the time, or a person ended the access by hand.
pub(super) fn is_hire_date_repeated(policy: &Policy, employee: &Employee) -> bool {
    let is_decided = employee
        .departure
        .is_some_and(|departure| departure.while_employed || departure.by_person);
    is_decided
        && employee.has_hire_date_of_departure()
        && later_hire_date(policy, employee).is_some()
}

/// Returns the hire date if it lies after the end that was carried out. Its day may not have begun yet.
pub(super) fn later_hire_date(policy: &Policy, employee: &Employee) -> Option<NaiveDate> {
    let departure = employee
        .departure
        .filter(|departure| departure.returned_at.is_none())?;
    let ended_at = departure
        .termination_date
        .map_or(departure.carried_out_at, |date| {
            start_of(date, policy.timezone)
        });
    employee
        .hire_date()
        .filter(|day| day_start(*day, policy.timezone) > ended_at)
}

fn termination_date(employee: &Employee) -> Option<DateOrInstant> {
    employee.termination_date().map(|(date, _)| date)
}

/// Returns whether all facts that could mean a departure, other than a termination date, report an employed person.
fn is_reported_as_employed(employee: &Employee) -> bool {
    employee.status() == Some(&Status::Active)
        && employment_status(employee) != Some(EmploymentStatus::Terminated)
        && !employee.is_deleted()
        && employee.values_pending_since.is_none()
        && employee.unreadable == UnreadableFacts::default()
}

/// Records that the person has access again, by a person's decision or in a later employment. The termination date of
/// the departure then belongs to an earlier employment.
pub fn returned(employee: &mut Employee, now: DateTime<Utc>) {
    if let Some(departure) = &mut employee.departure {
        departure.returned_at.get_or_insert(now);
    }
}
