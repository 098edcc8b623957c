//! Assesses employees whose status is not inactive: active, pending, unknown or missing.

use chrono::{DateTime, Utc};

use super::super::policy::Policy;
use super::{Employment, Termination, display, employment_status, leaving, left, unclear};
use crate::domain::{Employee, EmploymentStatus, Status, is_older};

pub(super) fn assess_not_inactive(
    policy: &Policy,
    employee: &Employee,
    status: Option<&Status>,
    now: DateTime<Utc>,
) -> Employment {
    let Some(termination) = Termination::of(policy, employee) else {
        return assess_status(employee, status, None);
    };
    let shown = display(policy, termination.date);
    // Old facts of an earlier employment stay in many HR systems after a rehire.
    let is_earlier = termination.is_of_earlier_employment(policy, employee, now)
        || termination.was_followed_by_a_return(employee);
    if !is_earlier {
        if termination.ends > now {
            return leaving(policy, &termination, matches!(status, Some(Status::Active)));
        }
        if termination.continued_on(policy, employee).is_none() {
            return assess_past_date(employee, &termination, status, &shown);
        }
    }
    assess_status(employee, status, Some(&shown))
}

/// Assesses a termination date that has passed and does not belong to an earlier employment.
fn assess_past_date(
    employee: &Employee,
    termination: &Termination,
    status: Option<&Status>,
    shown: &str,
) -> Employment {
    if termination.was_carried_out(employee) {
        return left(&format!(
            "access ended for the termination date {shown}, and the HR system reports no later employment"
        ));
    }
    let status_is_older = employee
        .status
        .as_ref()
        .is_none_or(|fact| fact.observed_at < termination.ends);
    if termination.observed_at < termination.ends && status_is_older {
        return left(&format!(
            "access ended as announced: termination date {shown}"
        ));
    }
    Employment::Uncertain {
        reason: format!(
            "{}, but the termination date {shown} has passed, and no later hire date is known",
            describe(status)
        ),
        needs_read: false,
        employed: employee.status() == Some(&Status::Active),
        ends_at: None,
    }
}

/// Assesses a status alone. `earlier` is the termination date of an earlier employment.
fn assess_status(
    employee: &Employee,
    status: Option<&Status>,
    earlier: Option<&str>,
) -> Employment {
    if is_terminated_since_status(employee) {
        return Employment::Uncertain {
            reason: format!("employment status is Terminated, but {}", describe(status)),
            needs_read: false,
            employed: status == Some(&Status::Active),
            ends_at: None,
        };
    }
    match status {
        Some(Status::Active) => Employment::Employed {
            reason: match earlier {
                Some(shown) => format!(
                    "status is active; the termination date {shown} belongs to an earlier employment"
                ),
                None => "status is active".to_owned(),
            },
        },
        Some(Status::Pending) => unclear("status is pending, which is not inactive".to_owned()),
        Some(Status::Unknown(word)) => unclear(format!(
            "the status `{word}` is unknown; unknown statuses never count as inactive"
        )),
        Some(Status::Inactive) | None => {
            unclear("no status was received; missing data never deactivates anyone".to_owned())
        }
    }
}

/// Returns whether employment status `Terminated` is known and no newer status contradicts it.
fn is_terminated_since_status(employee: &Employee) -> bool {
    employment_status(employee) == Some(EmploymentStatus::Terminated)
        && employee.employment_status.as_ref().is_some_and(|fact| {
            let status = employee.status.as_ref();
            status.is_none_or(|status| !is_older(fact.as_of, status.as_of))
        })
}

fn describe(status: Option<&Status>) -> String {
    match status {
        Some(Status::Active) => "status is active".to_owned(),
        Some(Status::Pending) => "status is pending".to_owned(),
        Some(Status::Unknown(word)) => format!("the status `{word}` is unknown"),
        Some(Status::Inactive) | None => "no status was received".to_owned(),
    }
}
