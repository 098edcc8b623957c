//! Facts that a source sent and that cannot be read. They block conclusions that rest on their absence.

use super::assess::{Employment, employment_status};
use super::policy::Policy;
use crate::domain::{Employee, EmploymentStatus, Status};

/// Returns the unreadable fact on whose absence or older value an assessment rests.
pub(super) fn unreadable_fact(
    policy: &Policy,
    employee: &Employee,
    by_facts: &Employment,
) -> Option<&'static str> {
    let capabilities = policy.provider.capabilities();
    let is_inactive = employee.status() == Some(&Status::Inactive);
    if employee.unreadable.status.is_some() {
        return Some("a status");
    }
    let is_terminated = is_inactive
        && capabilities.reports_employment_status
        && employment_status(employee) == Some(EmploymentStatus::Terminated);
    let has_left = matches!(by_facts, Employment::Left { .. });
    // Two facts prove this departure, whatever the dates.
    if is_terminated && has_left {
        return None;
    }
    if employee.unreadable.termination_date.is_some() {
        return Some("a termination date");
    }
    if has_left && is_inactive && employee.unreadable.employment_status.is_some() {
        return Some("an employment status");
    }
    // The person could be a pre-hire, or the termination date could belong to an earlier employment.
    (has_left && employee.unreadable.hire_date.is_some()).then_some("a hire date")
}
