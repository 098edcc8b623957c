//! Assesses whether an employee has left, from the facts of one roster entry. Accounts play no part here.
//!
//! `README.md` summarises the rules under "What it decides". Each rule has a test in `tests/rules`.

use chrono::{DateTime, Utc};

use super::access_end::{access_end, day_start, start_of};
use super::policy::{Cutoff, OnUncertain, Policy};
use crate::domain::{DateOrInstant, Employee, EmploymentStatus, Status};

/// What the facts imply about a person's employment. Every `reason` is a text for the audit log and for holds.
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

fn assess_inactive(policy: &Policy, employee: &Employee, now: DateTime<Utc>) -> Employment {
    let capabilities = policy.provider.capabilities();
    let future_hire = employee
        .hire_date()
        .filter(|day| day_start(*day, policy.timezone) > now);
    let termination = employee.termination_date();

    if let Some(day) = future_hire
        && (capabilities.future_hires_are_inactive || termination.is_none())
    {
        // A termination date after the hire date ends that employment, so it is scheduled.
        let scheduled = termination
            .filter(|(date, _)| start_of(*date, policy.timezone) > now)
            .map(|(date, _)| leaving(policy, date, false));
        return scheduled
            .unwrap_or_else(|| unclear(format!("a pre-hire: inactive until the hire date {day}")));
    }

    let terminated = employment_status(employee) == Some(EmploymentStatus::Terminated);
    if capabilities.reports_employment_status && terminated {
        return left("status is Inactive and employment status is Terminated");
    }

    if let Some((date, observed_at)) = termination {
        return assess_inactive_with_date(policy, employee, date, observed_at, now);
    }

    if !capabilities.lists_changed_fields {
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
    } else if employee.status_changed {
        left("status changed to Inactive and no other fact contradicts it")
    } else {
        uncertain(
            "status is Inactive, but it was not reported as changed, there is no termination date, and employment \
             status is not Terminated",
        )
    }
}

/// Assesses an inactive status with a termination date.
///
/// A future date is scheduled. Once its day has begun, a status or date observed since then means that the person has
/// left already. Otherwise both were announced earlier, and access ends at the cut-off.
fn assess_inactive_with_date(
    policy: &Policy,
    employee: &Employee,
    date: DateOrInstant,
    observed_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Employment {
    let begins = start_of(date, policy.timezone);
    let ends = access_end(date, policy.timezone, policy.cutoff);
    let observed_since = observed_at >= begins
        || employee
            .status
            .as_ref()
            .is_some_and(|fact| fact.observed_at >= begins);
    if begins <= now && (observed_since || ends <= now) {
        return left(&format!(
            "status is inactive and the termination date {} has begun",
            display(policy, date)
        ));
    }
    leaving(policy, date, false)
}

fn assess_not_inactive(
    policy: &Policy,
    employee: &Employee,
    status: Option<&Status>,
    now: DateTime<Utc>,
) -> Employment {
    if let Some((date, observed_at)) = employee.termination_date() {
        let ends = access_end(date, policy.timezone, policy.cutoff);
        if ends > now {
            return leaving(policy, date, matches!(status, Some(Status::Active)));
        }
        // A rehired person keeps the old date. A past date therefore counts only if it was announced before it
        // passed and no status was observed since.
        let status_is_older = employee
            .status
            .as_ref()
            .is_none_or(|fact| fact.observed_at < ends);
        if observed_at < ends && status_is_older && !continues(policy, employee, date, ends) {
            return left(&format!(
                "access ended as announced: termination date {}",
                display(policy, date)
            ));
        }
    }
    match status {
        Some(Status::Active) => Employment::Employed {
            reason: match employee.termination_date() {
                Some((date, _)) => format!(
                    "status is active; the termination date {} belongs to an earlier employment",
                    display(policy, date)
                ),
                None => "status is active".to_owned(),
            },
        },
        Some(Status::Pending) => unclear("status is pending, which is not inactive".to_owned()),
        Some(Status::Unknown(word)) => unclear(format!(
            "the status `{word}` is unknown; unknown statuses never count as inactive"
        )),
        Some(Status::Inactive) | None
            if employment_status(employee) == Some(EmploymentStatus::Terminated) =>
        {
            uncertain("employment status is Terminated, but no status was received")
        }
        Some(Status::Inactive) | None => {
            unclear("no status was received; missing data never deactivates anyone".to_owned())
        }
    }
}

/// Returns whether the next employment begins without a day between. Then the end of the previous one ends no access.
fn continues(
    policy: &Policy,
    employee: &Employee,
    ended: DateOrInstant,
    ends: DateTime<Utc>,
) -> bool {
    employee.hire_date().is_some_and(|day| {
        let begins = day_start(day, policy.timezone);
        begins > start_of(ended, policy.timezone) && begins <= ends
    })
}

fn employment_status(employee: &Employee) -> Option<EmploymentStatus> {
    employee.employment_status.as_ref()?.value
}

/// Returns whether an employment status other than `Terminated` is at least as new as the status.
fn is_contradicted(employee: &Employee) -> bool {
    match (&employee.status, &employee.employment_status) {
        (Some(status), Some(employment)) => {
            employment.value == Some(EmploymentStatus::Other) && employment.as_of >= status.as_of
        }
        _ => false,
    }
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
            _ => None,
        },
    }
}

fn leaving(policy: &Policy, date: DateOrInstant, employed: bool) -> Employment {
    let shown = display(policy, date);
    Employment::Leaving {
        at: access_end(date, policy.timezone, policy.cutoff),
        employed,
        reason: match (date, policy.cutoff) {
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
