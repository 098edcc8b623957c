//! What a person is asked, and the facts it rests on.

use super::policy::Policy;
use super::{AccountMatch, Action};
use crate::domain::{AccountId, DateOrInstant, Employee, EmploymentStatus, Fact, Status};

/// What a person is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldRequest {
    /// What would be done.
    pub requested_action: RequestedAction,
    /// To which account; none when the person must name it.
    pub account: Option<AccountId>,
    /// The facts the question rests on; the same question is not asked again while they stay the same.
    pub facts_fingerprint: String,
}

/// What a hold would do once approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum RequestedAction {
    /// Switch the account off.
    Deactivate,
    /// Switch the account on again.
    Reactivate,
}

impl RequestedAction {
    /// Returns the word in the database and in output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Everything a question may speak of.
pub(super) struct Basis<'a> {
    pub(super) employee: &'a Employee,
    pub(super) found: &'a AccountMatch,
    pub(super) policy: &'a Policy,
}

fn known<T: Copy>(fact: Option<&Fact<T>>) -> Option<T> {
    fact.and_then(|fact| fact.value)
}

impl Basis<'_> {
    /// Rests on every fact that the rules look at, and on no time at which one was said: a repetition asks
    /// nothing anew.
    pub(super) fn question(&self, requested_action: RequestedAction, why: &str) -> Action {
        let account = self.found.account().map(|account| account.id.clone());
        let status = self.employee.status().map_or("-", |status| match status {
            Status::Active => "active",
            Status::Pending => "pending",
            Status::Unknown(word) => word,
            Status::Inactive => "inactive",
        });
        let employment = match known(self.employee.employment_status.as_ref()) {
            Some(EmploymentStatus::Terminated) => "terminated",
            Some(EmploymentStatus::Other) => "other",
            None => "-",
        };
        let hire = known(self.employee.hire_date.as_ref());
        let termination =
            known(self.employee.termination_date.as_ref()).map(|moment| match moment {
                DateOrInstant::Day(day) => day.to_string(),
                DateOrInstant::Instant(instant) => instant.to_rfc3339(),
            });
        let removed = known(self.employee.deleted.as_ref()).unwrap_or(false);
        let accounts = match (self.found, &account) {
            (AccountMatch::Ambiguous(count), _) => format!("{count} of them"),
            (_, Some(account)) => account.to_string(),
            (_, None) => "-".to_owned(),
        };
        let facts_fingerprint = format!(
            "{why};status={status};employment={employment};hire={};termination={};removed={removed};account={accounts}",
            hire.map_or_else(|| "-".to_owned(), |day| day.to_string()),
            termination.as_deref().unwrap_or("-"),
        );
        Action::Hold(HoldRequest {
            requested_action,
            account,
            facts_fingerprint,
        })
    }
}
