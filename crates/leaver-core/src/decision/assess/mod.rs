//! Assesses whether an employee has left, from the facts of one roster entry. Accounts play no part here.
//!
//! `README.md` summarises the rules under "What it decides". Each rule has a test in `tests/rules`.

use chrono::{DateTime, Utc};

mod active;
mod inactive;
mod termination;

use self::active::assess_not_inactive;
use self::inactive::assess_inactive;
use self::termination::Termination;
use super::failed_read::failed_read;
use super::policy::{Cutoff, OnUncertain, Policy};
use super::unreadable::unreadable_fact;
use crate::domain::{DateOrInstant, Employee, EmploymentStatus, Status};

/// The implication of the facts for a person's employment. Every `reason` is a text for the audit log and for holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Employment {
    /// The person is employed.
    Employed {
        /// Why.
        reason: String,
    },
    /// The facts imply nothing.
    Unclear {
        /// Why.
        reason: String,
    },
    /// The person will leave at a future time.
    Leaving {
        /// When access ends.
        at: DateTime<Utc>,
        /// True if the person is known to be employed until then.
        employed: bool,
        /// Why.
        reason: String,
    },
    /// The person has left.
    Left {
        /// Why.
        reason: String,
    },
    /// The person may have left. Somebody has to decide.
    Uncertain {
        /// Why.
        reason: String,
        /// True if an API read would resolve the uncertainty.
        needs_read: bool,
        /// True if the person counts as employed without the uncertain fact.
        employed: bool,
        /// When access ends even without an answer, if the facts schedule an end.
        ends_at: Option<DateTime<Utc>>,
    },
}

impl Employment {
    /// Returns whether the person counts as employed, also if that is uncertain.
    #[must_use]
    pub fn is_employed(&self) -> bool {
        matches!(
            self,
            Self::Employed { .. }
                | Self::Leaving { employed: true, .. }
                | Self::Uncertain { employed: true, .. }
        )
    }

    /// Returns whether the person is employed and nothing is uncertain.
    #[must_use]
    pub fn is_certainly_employed(&self) -> bool {
        matches!(
            self,
            Self::Employed { .. } | Self::Leaving { employed: true, .. }
        )
    }

    /// Returns the reason.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Employed { reason }
            | Self::Unclear { reason }
            | Self::Leaving { reason, .. }
            | Self::Left { reason }
            | Self::Uncertain { reason, .. } => reason,
        }
    }
}

/// Assesses one employee at one time.
#[must_use]
pub fn assess(policy: &Policy, employee: &Employee, now: DateTime<Utc>) -> Employment {
    let by_facts = assess_facts(policy, employee, now);
    let by_facts = match unreadable_fact(policy, employee, &by_facts) {
        Some(fact) => overlay_uncertainty(
            &by_facts,
            format!(
                "the HR system sent {fact} that cannot be read{}; correct it there, or approve or reject",
                // An answer before the end does not answer the question at the end.
                if matches!(by_facts, Employment::Left { .. }) {
                    ", and without it the person has left"
                } else {
                    ""
                }
            ),
            false,
        ),
        None => by_facts,
    };
    if employee.is_deleted() && !matches!(by_facts, Employment::Left { .. }) {
        return match policy.deleted {
            OnUncertain::Deactivate => left("the HR system deleted the record"),
            OnUncertain::Hold => overlay_uncertainty(
                &by_facts,
                "the HR system deleted the record; the person may have left, or the record was cleaned up"
                    .to_owned(),
                false,
            ),
            OnUncertain::Ignore => by_facts,
        };
    }
    // A departure or a scheduled end stands until the values are read.
    let is_ending = matches!(
        by_facts,
        Employment::Left { .. } | Employment::Leaving { .. }
    );
    if let Some(reason) = failed_read(employee).filter(|_| !is_ending) {
        return overlay_uncertainty(&by_facts, reason, false);
    }
    match employee.values_pending_since {
        Some(changed_at) if !is_ending => overlay_uncertainty(
            &by_facts,
            format!(
                "needs a read: the HR system reported a change at {} without its values; set `api.company_domain` and \
                 `api.api_key` of this source, or look in the HR system and approve or reject",
                changed_at.format("%Y-%m-%dT%H:%M:%SZ")
            ),
            true,
        ),
        _ => by_facts,
    }
}

fn assess_facts(policy: &Policy, employee: &Employee, now: DateTime<Utc>) -> Employment {
    match employee.status() {
        Some(Status::Inactive) => assess_inactive(policy, employee, now),
        status => assess_not_inactive(policy, employee, status, now),
    }
}

pub(super) fn employment_status(employee: &Employee) -> Option<EmploymentStatus> {
    employee.employment_status.as_ref()?.value
}

fn left(reason: &str) -> Employment {
    Employment::Left {
        reason: reason.to_owned(),
    }
}

fn unclear(reason: String) -> Employment {
    Employment::Unclear { reason }
}

fn uncertain(reason: &str) -> Employment {
    Employment::Uncertain {
        reason: reason.to_owned(),
        needs_read: false,
        employed: false,
        ends_at: None,
    }
}

/// Marks an assessment as uncertain. An employed person still counts as employed, and a scheduled end stays scheduled.
fn overlay_uncertainty(by_facts: &Employment, reason: String, needs_read: bool) -> Employment {
    Employment::Uncertain {
        reason,
        needs_read,
        employed: by_facts.is_employed(),
        ends_at: match by_facts {
            Employment::Leaving { at, .. } => Some(*at),
            Employment::Uncertain { ends_at, .. } => *ends_at,
            _ => None,
        },
    }
}

fn leaving(policy: &Policy, termination: &Termination, employed: bool) -> Employment {
    let shown = display(policy, termination.date);
    Employment::Leaving {
        at: termination.ends,
        employed,
        reason: match (termination.date, policy.cutoff) {
            (DateOrInstant::Instant(_), _) => format!("leaves at {shown}"),
            (DateOrInstant::Day(_), Cutoff::StartOfDay) => {
                format!("leaves at the start of {shown}")
            }
            (DateOrInstant::Day(_), Cutoff::EndOfDay) => format!("leaves at the end of {shown}"),
            (DateOrInstant::Day(_), Cutoff::At(time)) => {
                format!("leaves at {} on {shown}", time.format("%H:%M"))
            }
        },
    }
}

fn display(policy: &Policy, date: DateOrInstant) -> String {
    match date {
        DateOrInstant::Day(day) => format!("{day} ({})", policy.timezone),
        DateOrInstant::Instant(instant) => instant.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
    }
}
