//! The request that a hold puts to a person.

use chrono::{DateTime, Utc};

use super::AccountMatch;
use super::departure;
use super::policy::Policy;
use crate::domain::{AccountId, DateOrInstant, Employee, EmploymentStatus, Fact, Status};

/// The question that a hold asks: approve or reject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldRequest {
    /// The effect of an approval.
    pub requested_action: RequestedAction,
    /// The account concerned, or `None` if the person who approves must name it.
    pub account: Option<AccountId>,
    /// The cause and the facts, as `cause;name=value;...`. While it is unchanged, an answered request is not repeated.
    pub facts_fingerprint: String,
}

/// The effect of an approved hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum RequestedAction {
    /// Deactivate the account.
    Deactivate,
    /// Reactivate the account.
    Reactivate,
}

impl RequestedAction {
    /// Returns the word used in the database and in output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The inputs of a decision.
pub(super) struct Inputs<'a> {
    pub(super) policy: &'a Policy,
    pub(super) employee: &'a Employee,
    pub(super) account_match: &'a AccountMatch,
}

fn known<T: Copy>(fact: Option<&Fact<T>>) -> Option<T> {
    fact.and_then(|fact| fact.value)
}

impl Inputs<'_> {
    /// Returns whether the end that the facts describe is the one that was carried out.
    pub(super) fn is_settled(&self, now: DateTime<Utc>) -> bool {
        departure::is_settled(self.policy, self.employee, now)
    }

    /// Returns a request to approve an action.
    pub(super) fn request(&self, requested_action: RequestedAction, cause: &str) -> HoldRequest {
        HoldRequest {
            requested_action,
            account: self
                .account_match
                .account()
                .map(|account| account.id.clone()),
            facts_fingerprint: self.fingerprint(cause),
        }
    }

    fn fingerprint(&self, cause: &str) -> String {
        let account = match (self.account_match, self.account_match.account()) {
            (AccountMatch::Ambiguous(count) | AccountMatch::LinkGone(count), _) => {
                format!("{count} of them")
            }
            (_, Some(account)) => account.id.to_string(),
            (_, None) => "-".to_owned(),
        };
        facts_fingerprint(self.employee, cause, &account)
    }
}

/// Returns the request to approve a change that the rules imply and something other than a rule holds back: the safeguard, or
/// an undo. While the facts are the same, a rejected request is not repeated.
#[must_use]
pub fn request_change(
    employee: &Employee,
    requested_action: RequestedAction,
    account: &AccountId,
) -> HoldRequest {
    // Each return is a request of its own.
    let cause = match (requested_action, employee.deactivated_at) {
        (RequestedAction::Reactivate, Some(at)) => format!("change@{}", at.to_rfc3339()),
        _ => "change".to_owned(),
    };
    HoldRequest {
        requested_action,
        account: Some(account.clone()),
        facts_fingerprint: facts_fingerprint(employee, &cause, account.as_str()),
    }
}

// The fingerprint has every fact that the rules use but none of its times: a repeated delivery of the same
// facts must not open the hold again.
fn facts_fingerprint(employee: &Employee, cause: &str, account: &str) -> String {
    let status = employee.status().map_or("-", |status| match status {
        Status::Active => "active",
        Status::Pending => "pending",
        Status::Unknown(word) => word,
        Status::Inactive => "inactive",
    });
    let employment = match known(employee.employment_status.as_ref()) {
        Some(EmploymentStatus::Terminated) => "terminated",
        Some(EmploymentStatus::Other) => "other",
        None => "-",
    };
    let hire_date = employee.hire_date();
    let hire_date = hire_date.map_or_else(|| "-".to_owned(), |day| day.to_string());
    let termination_date = match known(employee.termination_date.as_ref()) {
        Some(DateOrInstant::Day(day)) => day.to_string(),
        Some(DateOrInstant::Instant(instant)) => instant.to_rfc3339(),
        None => "-".to_owned(),
    };
    let deleted = employee.is_deleted();
    format!(
        "{cause};status={status};employment_status={employment};hire_date={hire_date};\
         termination_date={termination_date};deleted={deleted};account={account}"
    )
}

/// Returns true if the fingerprints of two requests show other facts of the employee, whatever the causes and the accounts are.
/// A fingerprint without those facts differs from none.
#[must_use]
pub fn differ_in_facts(one: &str, other: &str) -> bool {
    facts_of(one)
        .zip(facts_of(other))
        .is_some_and(|(one, other)| one != other)
}

fn facts_of(fingerprint: &str) -> Option<&str> {
    let facts = fingerprint.get(fingerprint.find(";status=")?..fingerprint.rfind(";account=")?)?;
    facts.contains(";employment_status=").then_some(facts)
}
