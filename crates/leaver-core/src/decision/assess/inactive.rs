//! Assesses employees whose status is inactive.

use chrono::{DateTime, NaiveDate, Utc};

use super::super::access_end::day_start;
use super::super::policy::{OnUncertain, Policy};
use super::{Employment, Termination, display, leaving, left, uncertain, unclear};
use crate::domain::{Employee, EmploymentStatus, is_older};

pub(super) fn assess_inactive(
    policy: &Policy,
    employee: &Employee,
    now: DateTime<Utc>,
) -> Employment {
    let capabilities = policy.provider.capabilities();
    let termination = Termination::of(policy, employee).filter(|termination| {
        !termination.is_of_earlier_employment(policy, employee, now)
            && !termination.was_followed_by_a_return(employee)
    });
    let future_hire = employee
        .hire_date()
        .filter(|day| day_start(*day, policy.timezone) > now);

    if let (Some(termination), Some(day)) = (&termination, future_hire)
        && termination.continued_on(policy, employee) == Some(day)
    {
        return Employment::Leaving {
            at: day_start(day, policy.timezone),
            employed: true,
            reason: format!(
                "the termination date {} is followed by the hire date {day} without a day between",
                display(policy, termination.date)
            ),
        };
    }
    // A termination that has begun comes before the pre-hire exception.
    if capabilities.reports_employment_status && is_terminated(policy, employee, now) {
        return left("status is Inactive and employment status is Terminated");
    }
    if let Some(termination) = &termination {
        return assess_with_date(policy, employee, termination, now);
    }
    if let Some(day) = future_hire {
        return unclear(format!("a pre-hire: inactive until the hire date {day}"));
    }
    let assessed = assess_without_date(policy, employee);
    // A pre-hire is inactive until the HR system changes the status, which may come late on the first day.
    match hired_since_status(policy, employee) {
        Some(day) if matches!(assessed, Employment::Left { .. }) => uncertain(&format!(
            "status was inactive before the hire date {day}, and no status was reported since that day began"
        )),
        _ => assessed,
    }
}

/// Returns whether employment status `Terminated` is known and is not older than the present employment.
fn is_terminated(policy: &Policy, employee: &Employee, now: DateTime<Utc>) -> bool {
    let begun = employee
        .hire_date()
        .map(|day| day_start(day, policy.timezone))
        .filter(|begins| *begins <= now);
    employee.employment_status.as_ref().is_some_and(|fact| {
        fact.value == Some(EmploymentStatus::Terminated)
            && begun.is_none_or(|begins| !is_older(fact.as_of, begins))
    })
}

/// Assesses an inactive status with a termination date.
///
/// A future date is scheduled. Once its day has begun, a status or date observed since then means that the person has
/// left already. Otherwise both were announced earlier, and access ends at the cut-off.
fn assess_with_date(
    policy: &Policy,
    employee: &Employee,
    termination: &Termination,
    now: DateTime<Utc>,
) -> Employment {
    let Termination { begins, ends, .. } = *termination;
    let observed_since = termination.observed_at >= begins
        || employee
            .status
            .as_ref()
            .is_some_and(|fact| fact.observed_at >= begins);
    if begins > now || (ends > now && !observed_since) {
        return leaving(policy, termination, false);
    }
    let shown = display(policy, termination.date);
    if termination.is_contradicted(employee) {
        return uncertain(&format!(
            "status is inactive, but employment status is not Terminated, and the termination date {shown} may belong to \
             an earlier employment"
        ));
    }
    left(&format!(
        "status is inactive and the termination date {shown} has begun"
    ))
}

/// Returns the hire date if its day began after the status was true. A delivery may arrive long after that.
fn hired_since_status(policy: &Policy, employee: &Employee) -> Option<NaiveDate> {
    let status = employee.status.as_ref()?;
    let known_at = status.as_of.min(status.observed_at);
    employee
        .hire_date()
        .filter(|day| day_start(*day, policy.timezone) > known_at)
}

/// Assesses an inactive status without a termination date of the present employment.
fn assess_without_date(policy: &Policy, employee: &Employee) -> Employment {
    if !policy.provider.capabilities().lists_changed_fields {
        return match policy.inactive_without_date {
            OnUncertain::Deactivate => left(
                "status is INACTIVE without a termination date, and `policy.inactive_without_date` is deactivate",
            ),
            OnUncertain::Hold => uncertain("status is INACTIVE without a termination date"),
            OnUncertain::Ignore => unclear(
                "status is INACTIVE without a termination date, and `policy.inactive_without_date` is ignore"
                    .to_owned(),
            ),
        };
    }
    if is_contradicted(employee) {
        uncertain(
            "status is Inactive, but employment status is not Terminated and there is no termination date",
        )
    } else if employee.termination_date().is_some() {
        uncertain(
            "status is Inactive, but the termination date belongs to an earlier employment, and employment status is not \
             Terminated",
        )
    } else if employee.status_changed {
        left("status changed to Inactive and no other fact contradicts it")
    } else {
        uncertain(
            "status is Inactive, but it was not reported as changed, there is no termination date, and employment \
             status is not Terminated",
        )
    }
}

/// Returns whether an employment status other than `Terminated` is at least as new as the status.
fn is_contradicted(employee: &Employee) -> bool {
    match (&employee.status, &employee.employment_status) {
        (Some(status), Some(employment)) => {
            employment.value == Some(EmploymentStatus::Other)
                && !is_older(employment.as_of, status.as_of)
        }
        _ => false,
    }
}
