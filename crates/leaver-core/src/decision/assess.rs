//! Has this employee left? The facts of one roster entry against the rules, account or not.
//!
//! The rules are the table "who has left" in the documentation, row for row; a test bears the name of each.

use chrono::{DateTime, Utc};

use super::access_end::{access_end, day_begins, moment_begins};
use super::policy::{Cutoff, OnUncertain, Policy};
use crate::domain::{DateOrInstant, Employee, EmploymentStatus, Provider, Status};

/// What the facts say about somebody's employment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Employment {
    /// Works there: the account stays as it is.
    Employed {
        /// Why, for a person.
        because: String,
    },
    /// The facts do not say that anybody left; nothing is concluded.
    Unclear {
        /// Why, for a person.
        because: String,
    },
    /// Will have left at an instant that lies ahead.
    Leaving {
        /// When access ends.
        at: DateTime<Utc>,
        /// True when the person is known to work there until then.
        employed: bool,
        /// Why, for a person.
        because: String,
    },
    /// Has left.
    Left {
        /// Why, for a person.
        because: String,
    },
    /// May have left; a person must say.
    Uncertain {
        /// Why, for a person.
        because: String,
        /// True when a look at the HR system would settle it.
        needs_read: bool,
        /// True when the person, as far as the facts go, works there.
        employed: bool,
        /// When access ends even if nobody answers, since the facts announce it.
        ends_at: Option<DateTime<Utc>>,
    },
}

impl Employment {
    /// Whether the person still counts as working there, for whoever shares an account with them.
    #[must_use]
    pub fn is_employed(&self) -> bool {
        matches!(
            self,
            Self::Employed { .. }
                | Self::Leaving { employed: true, .. }
                | Self::Uncertain { employed: true, .. }
        )
    }

    /// Whether the person works there without a doubt.
    #[must_use]
    pub fn works_there(&self) -> bool {
        matches!(
            self,
            Self::Employed { .. } | Self::Leaving { employed: true, .. }
        )
    }

    /// Why, for a person.
    #[must_use]
    pub fn because(&self) -> &str {
        match self {
            Self::Employed { because }
            | Self::Unclear { because }
            | Self::Leaving { because, .. }
            | Self::Left { because }
            | Self::Uncertain { because, .. } => because,
        }
    }
}

/// Judges one employee at one moment.
#[must_use]
pub fn assess(policy: &Policy, employee: &Employee, now: DateTime<Utc>) -> Employment {
    let by_facts = judge_by_facts(policy, employee, now);
    let removed = employee
        .deleted
        .as_ref()
        .is_some_and(|fact| fact.value == Some(true));
    if removed && !matches!(by_facts, Employment::Left { .. }) {
        return match policy.deleted {
            OnUncertain::Deactivate => left("the HR system has removed the record"),
            OnUncertain::Hold => doubted(
                &by_facts,
                "the HR system has removed the record, which may be a departure or a tidy-up"
                    .to_owned(),
                false,
            ),
            OnUncertain::Ignore => by_facts,
        };
    }
    if let Some(changed_at) = employee.values_pending_since
        && !matches!(
            by_facts,
            Employment::Left { .. } | Employment::Leaving { .. }
        )
    {
        return doubted(
            &by_facts,
            format!(
                "needs a read: the HR system reported a change at {} but not what it is; with api.company_domain and api.api_key of this source set ([sources.api]) it would be read; without, look there, then approve or reject",
                changed_at.format("%Y-%m-%dT%H:%M:%SZ")
            ),
            true,
        );
    }
    by_facts
}

fn judge_by_facts(policy: &Policy, employee: &Employee, now: DateTime<Utc>) -> Employment {
    match employee.status() {
        Some(Status::Inactive) => inactive(policy, employee, now),
        status => not_inactive(policy, employee, status, now),
    }
}

/// The status says that the person does not work there.
fn inactive(policy: &Policy, employee: &Employee, now: DateTime<Utc>) -> Employment {
    let hired = employee.hire_date.as_ref().and_then(|fact| fact.value);
    let hire_ahead = hired.filter(|day| day_begins(*day, policy.timezone) > now);
    let termination = employee.termination_date();

    if let Some(day) = hire_ahead {
        // A date that lies ahead is waited for even so: whoever is hired for a season leaves after it.
        let waited_for = termination
            .filter(|(moment, _)| moment_begins(*moment, policy.timezone) > now)
            .map(|(moment, _)| leaving(policy, moment, false));
        if policy.provider == Provider::BambooHr || termination.is_none() {
            return waited_for.unwrap_or_else(|| Employment::Unclear {
                because: format!("a pre-hire: inactive until the hire date {day}"),
            });
        }
    }

    let terminated = employment_status(employee) == Some(EmploymentStatus::Terminated);
    if policy.provider == Provider::BambooHr && terminated {
        return left("status is Inactive and employment status is Terminated");
    }

    if let Some((moment, learned_at)) = termination {
        return inactive_with_date(policy, employee, moment, learned_at, now);
    }

    match policy.provider {
        Provider::Merge => match policy.inactive_without_date {
            OnUncertain::Deactivate => left(
                "status is INACTIVE without a termination date, and policy.inactive_without_date says deactivate",
            ),
            OnUncertain::Hold => doubtful("status is INACTIVE without a termination date"),
            OnUncertain::Ignore => Employment::Unclear {
                because: "status is INACTIVE without a termination date, and policy.inactive_without_date says ignore".to_owned(),
            },
        },
        Provider::BambooHr if contradicted(employee) => doubtful(
            "status is Inactive, but employment status is not Terminated and no termination date is known",
        ),
        Provider::BambooHr if employee.status_changed => {
            left("status changed to Inactive and nothing known contradicts it")
        }
        Provider::BambooHr => doubtful(
            "status is Inactive, but nothing says that it changed: no termination date, no employment status Terminated",
        ),
    }
}

/// A date that lies ahead is waited for. On a day that has begun, an inactive status or its date said since
/// then means now; what was said earlier announced the day, so the day's cut-off holds.
fn inactive_with_date(
    policy: &Policy,
    employee: &Employee,
    moment: DateOrInstant,
    learned_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Employment {
    let begins = moment_begins(moment, policy.timezone);
    let ends = access_end(moment, policy.timezone, policy.cutoff);
    let said_since = learned_at >= begins
        || employee
            .status
            .as_ref()
            .is_some_and(|fact| fact.observed_at >= begins);
    if begins <= now && (said_since || ends <= now) {
        return left(&format!(
            "status is inactive and the termination date {} has begun",
            spoken(policy, moment)
        ));
    }
    leaving(policy, moment, false)
}

/// The status says that the person works there, or says nothing.
fn not_inactive(
    policy: &Policy,
    employee: &Employee,
    status: Option<&Status>,
    now: DateTime<Utc>,
) -> Employment {
    if let Some((moment, learned_at)) = employee.termination_date() {
        let ends = access_end(moment, policy.timezone, policy.cutoff);
        if ends > now {
            return leaving(policy, moment, matches!(status, Some(Status::Active)));
        }
        // A rehire keeps its old date. So a date that has passed counts only when it was announced before
        // it passed and no status has been said since.
        let status_said_before = employee
            .status
            .as_ref()
            .is_none_or(|fact| fact.observed_at < ends);
        if learned_at < ends && status_said_before && !continues(policy, employee, moment, ends) {
            return left(&format!(
                "access ended as announced: termination date {}",
                spoken(policy, moment)
            ));
        }
    }
    match status {
        Some(Status::Active) => Employment::Employed {
            because: match employee.termination_date() {
                Some((moment, _)) => format!(
                    "status is active; the termination date {} is an old one",
                    spoken(policy, moment)
                ),
                None => "status is active".to_owned(),
            },
        },
        Some(Status::Pending) => Employment::Unclear {
            because: "status is pending, which is not inactive".to_owned(),
        },
        Some(Status::Unknown(word)) => Employment::Unclear {
            because: format!(
                "the status word `{word}` is not one we know, and never means inactive"
            ),
        },
        Some(Status::Inactive) | None
            if employment_status(employee) == Some(EmploymentStatus::Terminated) =>
        {
            doubtful("employment status is Terminated, but the status itself was never posted")
        }
        Some(Status::Inactive) | None => Employment::Unclear {
            because: "no status is known, and absence is not a fact".to_owned(),
        },
    }
}

/// A contract that ends while the next one begins, without a day between them, ends no access.
fn continues(
    policy: &Policy,
    employee: &Employee,
    ended: DateOrInstant,
    ends: DateTime<Utc>,
) -> bool {
    let hired = employee.hire_date.as_ref().and_then(|fact| fact.value);
    hired.is_some_and(|day| {
        let begins = day_begins(day, policy.timezone);
        begins > moment_begins(ended, policy.timezone) && begins <= ends
    })
}

fn employment_status(employee: &Employee) -> Option<EmploymentStatus> {
    employee.employment_status.as_ref()?.value
}

/// An employment status other than Terminated contradicts an inactive status that is not newer than it.
fn contradicted(employee: &Employee) -> bool {
    match (&employee.status, &employee.employment_status) {
        (Some(status), Some(employment)) => {
            employment.value == Some(EmploymentStatus::Other) && employment.as_of >= status.as_of
        }
        _ => false,
    }
}

fn left(because: &str) -> Employment {
    Employment::Left {
        because: because.to_owned(),
    }
}

fn doubtful(because: &str) -> Employment {
    Employment::Uncertain {
        because: because.to_owned(),
        needs_read: false,
        employed: false,
        ends_at: None,
    }
}

/// Puts a doubt over what the facts say: who worked there still counts, and an announced end stays announced.
fn doubted(by_facts: &Employment, because: String, needs_read: bool) -> Employment {
    Employment::Uncertain {
        because,
        needs_read,
        employed: by_facts.is_employed(),
        ends_at: match by_facts {
            Employment::Leaving { at, .. } => Some(*at),
            _ => None,
        },
    }
}

fn leaving(policy: &Policy, moment: DateOrInstant, employed: bool) -> Employment {
    Employment::Leaving {
        at: access_end(moment, policy.timezone, policy.cutoff),
        employed,
        because: match (moment, policy.cutoff) {
            (DateOrInstant::Instant(_), _) => format!("leaves at {}", spoken(policy, moment)),
            (DateOrInstant::Day(_), Cutoff::StartOfDay) => {
                format!("leaves with the start of {}", spoken(policy, moment))
            }
            (DateOrInstant::Day(_), Cutoff::EndOfDay) => {
                format!("leaves with the end of {}", spoken(policy, moment))
            }
            (DateOrInstant::Day(_), Cutoff::At(time)) => {
                format!(
                    "leaves at {} on {}",
                    time.format("%H:%M"),
                    spoken(policy, moment)
                )
            }
        },
    }
}

fn spoken(policy: &Policy, moment: DateOrInstant) -> String {
    match moment {
        DateOrInstant::Day(day) => format!("{day} ({})", policy.timezone),
        DateOrInstant::Instant(instant) => instant.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
    }
}
