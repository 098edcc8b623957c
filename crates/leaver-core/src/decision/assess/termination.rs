//! A termination date and the employment that it ends.

use chrono::{DateTime, Days, NaiveDate, Offset, TimeDelta, TimeZone, Utc};

use super::super::access_end::{access_end, day_start, start_of};
use super::super::policy::Policy;
use super::employment_status;
use crate::domain::{DateOrInstant, Employee, EmploymentStatus, is_older};

/// Age from which a date is old enough to be left over from an earlier employment: the time between its access end and
/// the observation of the status.
const OLD_AFTER: TimeDelta = TimeDelta::days(7);

/// The termination date of an employee.
pub(super) struct Termination {
    pub(super) date: DateOrInstant,
    /// When it was valid, according to the source.
    pub(super) as_of: DateTime<Utc>,
    /// When this service received it.
    pub(super) observed_at: DateTime<Utc>,
    /// The first instant of the date.
    pub(super) begins: DateTime<Utc>,
    /// When access ends by the cut-off.
    pub(super) ends: DateTime<Utc>,
}

impl Termination {
    /// Returns the termination date of an employee, if one is known.
    pub(super) fn of(policy: &Policy, employee: &Employee) -> Option<Self> {
        let fact = employee.termination_date.as_ref()?;
        let date = fact.value?;
        Some(Self {
            date,
            as_of: fact.as_of,
            observed_at: fact.observed_at,
            begins: start_of(date, policy.timezone),
            ends: access_end(date, policy.timezone, policy.cutoff),
        })
    }

    /// Returns whether the present employment began after this date.
    pub(super) fn is_of_earlier_employment(
        &self,
        policy: &Policy,
        employee: &Employee,
        now: DateTime<Utc>,
    ) -> bool {
        employee.hire_date().is_some_and(|hired| {
            let hired = day_start(hired, policy.timezone);
            hired <= now && self.begins < hired
        })
    }

    /// Returns the hire date if the next employment begins on the day after this date. The end of the previous one then
    /// ends no access.
    pub(super) fn continued_on(&self, policy: &Policy, employee: &Employee) -> Option<NaiveDate> {
        let last_day = match self.date {
            DateOrInstant::Day(day) => day,
            DateOrInstant::Instant(instant) => {
                let utc = instant.naive_utc();
                let offset = policy.timezone.offset_from_utc_datetime(&utc).fix();
                utc.checked_add_offset(offset)?.date()
            }
        };
        let next_day = last_day.checked_add_days(Days::new(1));
        employee
            .hire_date()
            .filter(|hired| Some(*hired) == next_day)
    }

    /// Returns whether this is the end that was carried out last, and access was not given back since.
    pub(super) fn was_carried_out(&self, employee: &Employee) -> bool {
        employee.departure.is_some_and(|departure| {
            departure.termination_date == Some(self.date) && departure.returned_at.is_none()
        })
    }

    /// Returns whether access was given back after this date had passed and its end was carried out.
    pub(super) fn was_followed_by_a_return(&self, employee: &Employee) -> bool {
        employee.departure.is_some_and(|departure| {
            departure.termination_date == Some(self.date)
                && departure.returned_at.is_some_and(|at| at >= self.ends)
        })
    }

    /// Returns whether this date is old and an employment status other than `Terminated`, which is not older than the
    /// date, contradicts it.
    pub(super) fn is_contradicted(&self, employee: &Employee) -> bool {
        let is_old = employee
            .status
            .as_ref()
            .is_some_and(|status| status.observed_at - self.ends > OLD_AFTER);
        let other = employee
            .employment_status
            .as_ref()
            .is_some_and(|fact| !is_older(fact.as_of, self.as_of));
        is_old && other && employment_status(employee) == Some(EmploymentStatus::Other)
    }
}
