//! Keeps the facts of one company from reaching the accounts of another without a person.
//!
//! Without a tenant column, records of several tenants can have one account (`accounts.single_company`). Where they disagree, a
//! person decides. Records that are no part of a configured company decide nothing.

use super::policies::Policies;
use super::records::Records;
use super::shared_accounts::{AccountHolder, SharedAccounts};
use leaver_core::decision::{Action, Decision, HoldRequest, PROTECTED, RequestedAction};
use leaver_core::domain::{Account, AccountId, Employee};

/// Why a person should look twice before an account is deactivated.
const EMPLOYED: &str = "another tenant reports the person as employed";
/// Why a person should look twice before an account is reactivated.
const NOT_EMPLOYED: &str =
    "another tenant, which has the account too, does not report the person as employed";
/// The same, if the account was deactivated for a record of another tenant.
const ENDED: &str = "the account was deactivated for a record of another tenant";

impl SharedAccounts {
    /// Returns the records of other tenants that have an account.
    fn of_other_tenants<'a>(
        &'a self,
        employee: &'a Employee,
        account: &'a AccountId,
    ) -> impl Iterator<Item = &'a AccountHolder> {
        self.sources
            .iter()
            .filter_map(move |name| self.by_account.get(&(name.clone(), account.clone())))
            .flatten()
            .filter(move |other| other.key.tenant != employee.key.tenant)
    }

    /// Returns what other tenants report against a change of an account, without names and e-mails.
    pub(super) fn objection(
        &self,
        employee: &Employee,
        account: &AccountId,
        requested_action: RequestedAction,
    ) -> Option<String> {
        let mut others = self.of_other_tenants(employee, account);
        let (other, what) = match requested_action {
            RequestedAction::Deactivate => (
                others.find(|other| other.record.may_keep_access())?,
                EMPLOYED,
            ),
            RequestedAction::Reactivate => {
                let is_against = |other: &&AccountHolder| {
                    other.has_ended_access() || !other.is_certainly_employed()
                };
                let other = others.find(is_against)?;
                let what = if other.has_ended_access() {
                    ENDED
                } else {
                    NOT_EMPLOYED
                };
                (other, what)
            }
        };
        let key = &other.key;
        Some(format!(
            "{what} (tenant {}, source {})",
            key.tenant, key.source
        ))
    }

    /// Changes a reactivation to a hold if another tenant has a say in it.
    pub(super) fn ask_about_return(&self, employee: &Employee, mut decision: Decision) -> Decision {
        let Action::Reactivate(account) = &decision.action else {
            return decision;
        };
        let account = account.clone();
        let objection = self.objection(employee, &account, RequestedAction::Reactivate);
        if let Some(objection) = objection {
            decision.reason += "; but ";
            decision.reason += &objection;
            decision.action = Action::Hold(HoldRequest {
                requested_action: RequestedAction::Reactivate,
                facts_fingerprint: format!(
                    "another-tenant: {objection};hire_date={:?};termination_date={:?};account={account}",
                    employee.hire_date(),
                    employee.termination_date().map(|(date, _)| date)
                ),
                account: Some(account),
            });
        }
        decision
    }
}

/// Adds to the reason of a hold what else the person should know: protection, and what other tenants report.
pub(super) fn explain_hold(
    policies: &Policies,
    shared: &SharedAccounts,
    employee: &Employee,
    found: &[Account],
    mut decision: Decision,
) -> Decision {
    let Action::Hold(request) = &decision.action else {
        return decision;
    };
    let action = request.requested_action;
    for account in found {
        if action == RequestedAction::Deactivate {
            decision.reason += &unmentioned_protection(policies, account, &decision.reason)
                .map_or(String::new(), |text| format!("; {text}"));
        }
        let objection = shared.objection(employee, &account.id, action);
        if let Some(text) = objection.filter(|text| !decision.reason.contains(text.as_str())) {
            decision.reason += "; ";
            decision.reason += &text;
        }
    }
    decision
}

/// Returns a text that an account is protected, unless a reason has it.
pub(super) fn unmentioned_protection(
    policies: &Policies,
    account: &Account,
    reason: &str,
) -> Option<String> {
    let text = format!("account {} {PROTECTED}", account.id);
    let is_mentioned =
        reason.contains(&text) || reason.contains(&format!("the account {PROTECTED}"));
    (policies.is_protected(account) && !is_mentioned).then_some(text)
}

/// Changes a decision to a hold if the record is no part of a configured company any more.
pub(super) fn hold_if_outside(
    policies: &Policies,
    records: &Records,
    employee: &Employee,
    mut decision: Decision,
) -> Decision {
    let (account, requested_action) = match &decision.action {
        Action::Deactivate(account) => (account.clone(), RequestedAction::Deactivate),
        Action::Reactivate(account) => (account.clone(), RequestedAction::Reactivate),
        _ => return decision,
    };
    if let Some(why) = records.why_outside(policies, employee) {
        decision.reason += "; but ";
        decision.reason += &why;
        decision.action = Action::Hold(HoldRequest {
            requested_action,
            facts_fingerprint: format!(
                "outside: {why};status={:?};termination_date={:?};account={account}",
                employee.status(),
                employee.termination_date().map(|(date, _)| date)
            ),
            account: Some(account),
        });
    }
    decision
}

/// Returns true if the decision changes an account.
pub(super) fn is_change(decision: &Decision) -> bool {
    matches!(
        decision.action,
        Action::Deactivate(_) | Action::Reactivate(_)
    )
}
