//! The settings that turn facts into decisions. The words of the configuration are those of the enums here.

use std::collections::BTreeSet;

use chrono::{NaiveTime, TimeDelta};
use chrono_tz::Tz;
use serde::Deserialize;

use crate::domain::{Provider, WorkEmail};

/// How one source's facts become decisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The provider that the facts come from.
    pub provider: Provider,
    /// The zone in which the company's calendar days begin and end.
    pub timezone: Tz,
    /// When access ends on the last day.
    pub cutoff: Cutoff,
    /// Action if an employee is inactive (Merge) without a termination date.
    pub inactive_without_date: OnUncertain,
    /// Action if the HR system has deleted the employee's record.
    pub deleted: OnUncertain,
    /// Action if an employee is active again after we deactivated the account.
    pub rehire: Rehire,
    /// Action if a person left while another source reports the same account's owner as employed.
    pub sources_disagree: SourcesDisagree,
    /// The time between two reads of the provider's API, or `None` if it is not read.
    pub sync_interval: Option<TimeDelta>,
    /// True if a change event without field values is followed by a read from the provider's API.
    pub can_read: bool,
    /// Accounts that are deactivated only after a person approves it.
    pub protected: BTreeSet<WorkEmail>,
}

/// When access ends on the last day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Cutoff {
    /// At the first instant of the day.
    StartOfDay,
    /// At a time of that day.
    At(NaiveTime),
    /// At the first instant of the next day.
    EndOfDay,
}

/// A text that is not a cut-off.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not a cut-off, expected \"start_of_day\", \"end_of_day\" or a time such as \"17:30\""
)]
pub struct InvalidCutoff(String);

impl TryFrom<String> for Cutoff {
    type Error = InvalidCutoff;

    fn try_from(text: String) -> Result<Self, InvalidCutoff> {
        match text.as_str() {
            "start_of_day" => Ok(Self::StartOfDay),
            "end_of_day" => Ok(Self::EndOfDay),
            time => NaiveTime::parse_from_str(time, "%H:%M")
                .map(Self::At)
                .map_err(|_| InvalidCutoff(text)),
        }
    }
}

/// Action if the facts suggest a departure but do not prove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnUncertain {
    /// A hold is opened for a person to resolve.
    Hold,
    /// It counts as a departure.
    Deactivate,
    /// Nothing.
    Ignore,
}

/// Action if a person left while another source reports the same account's owner as employed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourcesDisagree {
    /// A hold is opened for a person to resolve.
    Hold,
    /// The account is deactivated.
    Deactivate,
}

/// Action if an employee is active again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rehire {
    /// A hold is opened for a person to resolve.
    Hold,
    /// The account is reactivated.
    Reactivate,
    /// Nothing.
    Ignore,
}

/// Action on access that should have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DriftMode {
    /// It is reported.
    Report,
    /// It is reported and ended.
    Fix,
}
