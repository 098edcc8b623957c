//! A builder for a person and a `check` of the decision about them. `rules` has a test for each rule.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

use super::assess::{Employment, assess};
use super::policy::{Cutoff, OnUncertain, Policy, Rehire, SourcesDisagree};
use super::{
    AccountMatch, Action, Decision, HoldRequest, OtherRecord, Presence, RequestedAction, decide,
    differ_in_facts, request_change,
};
use crate::domain::{
    Account, AccountId, DateOrInstant, Departure, Employee, EmployeeId, EmployeeKey,
    EmploymentStatus, Fact, Provider, SourceName, Status, Tenant, UnreadableFacts, WorkEmail,
};

mod accounts;
mod dates;
mod properties;
mod failed_reads;
mod hold_requests;
mod others;
mod rules;
mod unreadable;

/// A Tuesday. By default, all facts were observed three hours earlier.
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

/// An employee, the policy of the source, and the matching account: by default a linked, active one.
#[derive(Clone, Debug)]
struct Person {
    employee: Employee,
    policy: Policy,
    found: AccountMatch,
    others: Vec<OtherRecord>,
    observed_at: DateTime<Utc>,
}

fn bamboohr() -> Person {
    person(Provider::BambooHr, OnUncertain::Deactivate)
}

fn merge() -> Person {
    person(Provider::Merge, OnUncertain::Hold)
}

fn person(provider: Provider, deleted: OnUncertain) -> Person {
    let observed_at = at(NOW) - TimeDelta::hours(3);
    let mut employee = Employee::new(EmployeeKey {
        source: SourceName::parse(provider.as_str()).unwrap(),
        tenant: Tenant::new("acme"),
        employee_id: EmployeeId::new("4711"),
    });
    employee.work_email = Some(Fact {
        value: WorkEmail::parse(EMAIL),
        as_of: observed_at,
        observed_at,
    });
    Person {
        employee,
        policy: Policy {
            provider,
            timezone: Tz::UTC,
            cutoff: Cutoff::EndOfDay,
            inactive_without_date: OnUncertain::Hold,
            deleted,
            rehire: Rehire::Hold,
            sources_disagree: SourcesDisagree::Hold,
            sync_interval: None,
            can_read: false,
            protected: std::collections::BTreeSet::new(),
        },
        found: AccountMatch::Linked(account(true)),
        others: Vec::new(),
        observed_at,
    }
}

fn account(is_active: bool) -> Account {
    Account {
        id: AccountId::new(ACCOUNT),
        email: WorkEmail::parse(EMAIL),
        is_active,
        is_protected: false,
        has_other_inactive_status: false,
    }
}

/// Facts are observed one after the other, at the time of the last `observed`.
impl Person {
    fn observed(mut self, when: &str) -> Self {
        self.observed_at = at(when);
        self
    }

    #[expect(clippy::unnecessary_wraps, reason = "assigned to optional facts")]
    fn fact<T>(&self, value: Option<T>) -> Option<Fact<T>> {
        Some(Fact {
            value,
            as_of: self.observed_at,
            observed_at: self.observed_at,
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

    fn deleted(mut self, deleted: bool) -> Self {
        self.employee.deleted = self.fact(Some(deleted));
        self
    }

    fn values_pending(mut self, when: &str) -> Self {
        self.employee.values_pending_since = Some(at(when));
        self
    }

    fn deactivated_by_us(mut self, when: &str) -> Self {
        self.employee.deactivated_at = Some(at(when));
        self.found = AccountMatch::Linked(account(false));
        self
    }

    /// The end for this date was carried out, and the account is inactive.
    fn carried_out(mut self, when: &str, date: Option<DateOrInstant>) -> Self {
        self.employee.departure = Some(Departure {
            carried_out_at: at(when),
            termination_date: date,
            hire_date: None,
            returned_at: None,
            by_person: false,
            while_employed: false,
        });
        self.deactivated_by_us(when)
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
        self.others = others.iter().map(|other| other.record(now)).collect();
        self
    }

    /// Returns the person as another record of the same source, confirmed at the time of the last `observed`.
    fn record(&self, now: &str) -> OtherRecord {
        OtherRecord {
            employment: self.assessed(now),
            hire_date: self.employee.hire_date(),
            confirmed_at: Some(self.observed_at),
            is_of_other_tenant: false,
            presence: Presence::Present,
        }
    }

    fn assessed(&self, now: &str) -> Employment {
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

    /// Returns the request of the hold.
    fn request(&self, now: &str) -> HoldRequest {
        match self.decided(now).action {
            Action::Hold(request) => request,
            other => panic!("no hold: {other:?}"),
        }
    }
}

/// Expects an outcome such as `deactivate 7`, `hold: deactivate 7` or `keep: Employed`.
///
/// A scheduled end follows as ` until <instant>`. Invariants of every decision are checked as well.
#[track_caller]
fn check(person: &Person, now: &str, expected: &str) -> Decision {
    let decision = person.decided(now);
    assert_eq!(
        display(&decision),
        expected,
        "at {now}: {}",
        decision.reason
    );
    assert!(!decision.reason.is_empty());
    assert!(
        !format!("{decision:?}").contains(EMAIL),
        "an e-mail in {decision:?}"
    );
    if let Some(next) = decision.access_ends_at {
        assert!(next > at(now), "scheduled in the past: {decision:?}");
    }
    decision
}

/// Also expects a part of the reason.
#[track_caller]
fn check_reason(person: &Person, now: &str, expected: &str, words: &str) {
    let decision = check(person, now, expected);
    assert!(
        decision.reason.contains(words),
        "`{words}` is not in `{}`",
        decision.reason
    );
}

fn display(decision: &Decision) -> String {
    let action = match &decision.action {
        Action::Deactivate(id) => format!("deactivate {id}"),
        Action::EndSessions(id) => format!("end sessions {id}"),
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
