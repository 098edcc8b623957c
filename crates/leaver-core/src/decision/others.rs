//! Judges the other records of the same source with the same account: which of them keep the access of a leaver.

use chrono::{DateTime, Days, NaiveDate, Utc};

use super::access_end::access_end;
use super::assess::Employment;
use super::policy::Policy;
use crate::domain::{DateOrInstant, Employee};

/// Another record of the same source with the same account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherRecord {
    /// The implication of its facts.
    pub employment: Employment,
    /// The first day of its employment, if known.
    pub hire_date: Option<NaiveDate>,
    /// When its status was last confirmed: by a delivery, or by a complete read of all employees.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// Its presence in the HR system, as far as is known.
    pub presence: Presence,
    /// True if it belongs to another tenant. It keeps no access without a person.
    pub is_of_other_tenant: bool,
}

/// The presence of a record in the HR system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Nothing contradicts it.
    Present,
    /// The latest complete read of all employees did not have it.
    Missing,
    /// Its linked account was deleted, or is not configured any more. The record counts for nothing.
    Disconnected,
}

impl OtherRecord {
    /// Returns whether the record may keep access: it counts as employed, and its linked account exists.
    #[must_use]
    pub fn may_keep_access(&self) -> bool {
        self.presence != Presence::Disconnected && self.employment.is_employed()
    }
}

/// The effect of the other records on the access of a leaver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Effect {
    /// None of them matters.
    Nothing,
    /// One of them may keep access, but the evidence is short. The text is the cause.
    Asks(&'static str),
    /// The next employment follows without a day between. It has to begin by this time; otherwise a hold is opened.
    Continues(DateTime<Utc>),
    /// One of them is a present employment that is not earlier.
    Keeps,
}

/// Returns the strongest effect of the other records.
pub(super) fn effect(
    policy: &Policy,
    employee: &Employee,
    others: &[OtherRecord],
    now: DateTime<Utc>,
) -> Effect {
    others
        .iter()
        .map(|other| effect_of(policy, employee, other, now))
        .max()
        .unwrap_or(Effect::Nothing)
}

fn effect_of(
    policy: &Policy,
    employee: &Employee,
    other: &OtherRecord,
    now: DateTime<Utc>,
) -> Effect {
    if other.presence == Presence::Disconnected {
        return Effect::Nothing;
    }
    if other.is_of_other_tenant {
        return if other.employment.is_employed() {
            Effect::Asks("that record belongs to another tenant")
        } else {
            Effect::Nothing
        };
    }
    // The values of an unread change are read next; until then the earlier ones count.
    let is_certain = other.employment.is_certainly_employed()
        || matches!(
            other.employment,
            Employment::Uncertain {
                needs_read: true,
                employed: true,
                ..
            }
        );
    if is_certain {
        return match missing_evidence(policy, employee, other) {
            Some(cause) => Effect::Asks(cause),
            None => Effect::Keeps,
        };
    }
    if other.employment.is_employed() {
        return Effect::Asks("it is uncertain whether that record is employed");
    }
    follow(policy, employee, other, now)
}

/// Returns why an employed record is no proof of a present employment that is not earlier, or `None` if it is one.
fn missing_evidence(
    policy: &Policy,
    employee: &Employee,
    other: &OtherRecord,
) -> Option<&'static str> {
    if other.presence == Presence::Missing {
        return Some("the latest complete read of all employees did not have that record");
    }
    let Some(hired) = other.hire_date else {
        return Some("the hire date of that record is unknown");
    };
    // An employment that begins after the end is later, also if the beginning of the earlier one is unknown.
    let is_after_the_end = ended_on(policy, employee).is_some_and(|ended| hired > ended);
    match employee.hire_date() {
        None if !is_after_the_end => Some("the hire date of the record that ends is unknown"),
        Some(earlier) if !is_after_the_end && hired < earlier => {
            Some("that record has an earlier hire date")
        }
        _ if other.confirmed_at < known_since(employee) => {
            Some("that record has not been confirmed since the one that ends is known")
        }
        _ => None,
    }
}

/// Returns since when a record is known. A record that one delivery reports together with another is known since then, and
/// not since its row was inserted a moment later.
fn known_since(employee: &Employee) -> Option<DateTime<Utc>> {
    let reported = employee.status.as_ref().map(|fact| fact.observed_at);
    employee
        .first_observed_at
        .map(|first| reported.map_or(first, |reported| first.min(reported)))
}

/// Judges a record that is not employed yet: its employment may follow the one that ends without a day between.
fn follow(policy: &Policy, employee: &Employee, other: &OtherRecord, now: DateTime<Utc>) -> Effect {
    let has_ended = matches!(
        other.employment,
        Employment::Left { .. } | Employment::Leaving { .. }
    );
    let Some(hired) = other.hire_date.filter(|_| !has_ended) else {
        return Effect::Nothing;
    };
    let ended = ended_on(policy, employee).unwrap_or_else(|| day_of(policy, now));
    let latest = ended.checked_add_days(Days::new(1)).unwrap_or(ended);
    let is_next = hired > ended || employee.hire_date().is_some_and(|day| hired > day);
    if hired > latest || !is_next {
        return Effect::Nothing;
    }
    let begun_by = access_end(DateOrInstant::Day(hired), policy.timezone, policy.cutoff);
    if other.presence == Presence::Missing {
        Effect::Asks("the latest complete read of all employees did not have that record")
    } else if begun_by > now {
        Effect::Continues(begun_by)
    } else {
        Effect::Asks("the hire date of that record has passed, and it is not reported as active")
    }
}

/// Returns the last day of the employment that ends, in the time zone of the source.
fn ended_on(policy: &Policy, employee: &Employee) -> Option<NaiveDate> {
    let (date, _) = employee.termination_date()?;
    Some(match date {
        DateOrInstant::Day(day) => day,
        DateOrInstant::Instant(instant) => day_of(policy, instant),
    })
}

fn day_of(policy: &Policy, at: DateTime<Utc>) -> NaiveDate {
    at.with_timezone(&policy.timezone).date_naive()
}
