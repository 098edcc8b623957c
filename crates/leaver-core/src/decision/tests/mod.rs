//! One builder for somebody and one `check` for what is decided about them. Each row of the documentation's
//! table "who has left" has a test named after it in `rules`.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

use super::assess::{Employment, assess};
use super::policy::{Cutoff, OnUncertain, Policy, Rehire};
use super::{AccountMatch, Action, Decision, HoldRequest, RequestedAction, decide};
use crate::domain::{
    Account, AccountId, DateOrInstant, Employee, EmployeeId, EmployeeKey, EmploymentStatus, Fact,
    Provider, SourceName, Status, Tenant, WorkEmail,
};

mod accounts;
mod dates;
mod properties;
mod questions;
mod rules;

/// A Tuesday; whoever is built without another word said everything three hours ago.
const NOW: &str = "2026-03-10T12:00:00Z";
const EMAIL: &str = "dana.scully@widgets.example";
const ACCOUNT: &str = "7";

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn on(text: &str) -> DateOrInstant {
    DateOrInstant::Day(day(text))
}

fn cutoff_at(text: &str) -> Cutoff {
    Cutoff::At(text.parse().unwrap())
}

fn word(text: &str) -> Status {
    Status::Unknown(text.to_owned())
}

/// An employee, the source's policy, and what the users table has for them: an active account they are linked to.
#[derive(Clone, Debug)]
struct Someone {
    employee: Employee,
    policy: Policy,
    found: AccountMatch,
    others: Vec<Employment>,
    said_at: DateTime<Utc>,
}

fn bamboohr() -> Someone {
    someone(Provider::BambooHr, OnUncertain::Deactivate)
}

fn merge() -> Someone {
    someone(Provider::Merge, OnUncertain::Hold)
}

fn someone(provider: Provider, deleted: OnUncertain) -> Someone {
    let said_at = at(NOW) - TimeDelta::hours(3);
    let mut employee = Employee::unknown(EmployeeKey {
        source: SourceName::parse(provider.as_str()).unwrap(),
        tenant: Tenant::new("acme"),
        employee_id: EmployeeId::new("4711"),
    });
    employee.work_email = Some(Fact {
        value: WorkEmail::parse(EMAIL),
        as_of: said_at,
        observed_at: said_at,
    });
    Someone {
        employee,
        policy: Policy {
            provider,
            timezone: Tz::UTC,
            cutoff: Cutoff::EndOfDay,
            inactive_without_date: OnUncertain::Hold,
            deleted,
            rehire: Rehire::Hold,
            can_read: false,
            protected: std::collections::BTreeSet::new(),
        },
        found: AccountMatch::Linked(account(true)),
        others: Vec::new(),
        said_at,
    }
}

fn account(is_active: bool) -> Account {
    Account {
        id: AccountId::new(ACCOUNT),
        email: WorkEmail::parse(EMAIL),
        is_active,
    }
}

/// Facts come one after the other, as of the time of the last `said`.
impl Someone {
    fn said(mut self, when: &str) -> Self {
        self.said_at = at(when);
        self
    }

    #[expect(clippy::unnecessary_wraps, reason = "it goes where a fact is optional")]
    fn fact<T>(&self, value: Option<T>) -> Option<Fact<T>> {
        Some(Fact {
            value,
            as_of: self.said_at,
            observed_at: self.said_at,
        })
    }

    fn status(mut self, status: impl Into<Option<Status>>) -> Self {
        self.employee.status = self.fact(status.into());
        self
    }

    fn changed(mut self) -> Self {
        self.employee.status_changed = true;
        self
    }

    fn employment(mut self, status: impl Into<Option<EmploymentStatus>>) -> Self {
        self.employee.employment_status = self.fact(status.into());
        self
    }

    fn hired(mut self, when: &str) -> Self {
        self.employee.hire_date = self.fact(Some(day(when)));
        self
    }

    fn terminated(mut self, when: impl Into<Option<DateOrInstant>>) -> Self {
        self.employee.termination_date = self.fact(when.into());
        self
    }

    fn removed(mut self, removed: bool) -> Self {
        self.employee.deleted = self.fact(Some(removed));
        self
    }

    fn changed_unread(mut self, when: &str) -> Self {
        self.employee.values_pending_since = Some(at(when));
        self
    }

    fn deactivated_by_us(mut self, when: &str) -> Self {
        self.employee.deactivated_at = Some(at(when));
        self.found = AccountMatch::Linked(account(false));
        self
    }

    fn zone(mut self, zone: &str) -> Self {
        self.policy.timezone = zone.parse().unwrap();
        self
    }

    fn policy(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(&mut self.policy);
        self
    }

    fn found(mut self, found: AccountMatch) -> Self {
        self.found = found;
        self
    }

    fn shares_account_with(mut self, others: &[&Self], now: &str) -> Self {
        self.others = others.iter().map(|other| other.judged(now)).collect();
        self
    }

    fn judged(&self, now: &str) -> Employment {
        assess(&self.policy, &self.employee, at(now))
    }

    fn decided(&self, now: &str) -> Decision {
        decide(
            &self.policy,
            &self.employee,
            &self.found,
            &self.others,
            at(now),
        )
    }

    /// The question put to a person, where one is.
    fn asked(&self, now: &str) -> HoldRequest {
        match self.decided(now).action {
            Action::Hold(question) => question,
            other => panic!("nothing is asked: {other:?}"),
        }
    }
}

/// Expects an outcome such as `deactivate 7`, `hold: deactivate 7`, `keep: Employed`, with ` until <instant>`
/// behind it when something is scheduled. What holds of every decision is checked along the way.
#[track_caller]
fn check(someone: &Someone, now: &str, expected: &str) -> Decision {
    let decision = someone.decided(now);
    assert_eq!(spoken(&decision), expected, "at {now}: {}", decision.reason);
    assert!(!decision.reason.is_empty());
    assert!(
        !format!("{decision:?}").contains(EMAIL),
        "an e-mail in {decision:?}"
    );
    if let Some(next) = decision.access_ends_at {
        assert!(next > at(now), "looked for again in the past: {decision:?}");
    }
    decision
}

/// Also expects words of the reason.
#[track_caller]
fn check_because(someone: &Someone, now: &str, expected: &str, words: &str) {
    let decision = check(someone, now, expected);
    assert!(
        decision.reason.contains(words),
        "`{words}` is not in `{}`",
        decision.reason
    );
}

fn spoken(decision: &Decision) -> String {
    let action = match &decision.action {
        Action::Deactivate(id) => format!("deactivate {id}"),
        Action::Reactivate(id) => format!("reactivate {id}"),
        Action::Hold(HoldRequest {
            requested_action,
            account,
            ..
        }) => format!(
            "hold: {} {}",
            requested_action.as_str(),
            account.as_ref().map_or("-", AccountId::as_str)
        ),
        Action::Keep(kept) => format!("keep: {kept:?}"),
    };
    match decision.access_ends_at {
        Some(at) => format!("{action} until {}", at.format("%Y-%m-%dT%H:%M:%SZ")),
        None => action,
    }
}
