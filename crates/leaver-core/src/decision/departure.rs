//! The memory of ends that were carried out.
//!
//! An HR system that repeats a termination date reports no rehire. The departure keeps the date for that comparison.

use chrono::{DateTime, Utc};

use crate::domain::{Departure, Employee};

/// Returns whether the present departure of the employee was carried out.
#[must_use]
pub fn is_carried_out(employee: &Employee) -> bool {
    employee
        .departure
        .is_some_and(|departure| departure.returned_at.is_none())
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
        termination_date: employee.termination_date().map(|(date, _)| date),
        returned_at: None,
        by_person: false,
    }
}

/// Records that the person has access again, by a person's decision or in a later employment. The termination date of
/// the departure then belongs to an earlier employment.
pub fn returned(employee: &mut Employee, now: DateTime<Utc>) {
    if let Some(departure) = &mut employee.departure {
        departure.returned_at.get_or_insert(now);
    }
}
