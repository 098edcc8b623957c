//! The knobs that the operator sets.

use std::collections::BTreeSet;

use chrono::NaiveTime;
use chrono_tz::Tz;

use crate::domain::{Provider, WorkEmail};

/// How one source's facts become decisions.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Whose words the facts are in.
    pub provider: Provider,
    /// The zone in which the company's calendar days begin and end.
    pub timezone: Tz,
    /// When on the last day access ends.
    pub cutoff: Cutoff,
    /// What to do with somebody who is inactive (Merge) without a termination date.
    pub inactive_without_date: OnUncertain,
    /// What to do when the HR system has removed the record.
    pub deleted: OnUncertain,
    /// What to do when somebody whose account we switched off is active again.
    pub rehire: Rehire,
    /// Whether a change that came without values is read from the provider's API.
    pub can_read: bool,
    /// Accounts that are never switched off without a person's word.
    pub protected: BTreeSet<WorkEmail>,
}

/// When on the last day access ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cutoff {
    /// With the first instant of the day.
    StartOfDay,
    /// At a time of that day.
    At(NaiveTime),
    /// With the first instant of the next day.
    EndOfDay,
}

/// What to do about a sign of leaving that is less than proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnUncertain {
    /// Ask a person.
    Hold,
    /// Take it for a departure.
    Deactivate,
    /// Do nothing.
    Ignore,
}

/// What to do about a return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rehire {
    /// Ask a person.
    Hold,
    /// Switch the account on again.
    Reactivate,
    /// Do nothing.
    Ignore,
}

/// What to do about access that should have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriftMode {
    /// Say so.
    Report,
    /// End it again.
    Fix,
}
