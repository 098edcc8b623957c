//! Compares a decision with what the other sources report about the owner of the account.

use super::shared_accounts::{AccountHolder, SharedAccounts};
use leaver_core::decision::policy::{Policy, SourcesDisagree};
use leaver_core::decision::{
    Action, Decision, HoldRequest, NoActionReason, Presence, RequestedAction,
};
use leaver_core::domain::{AccountId, Employee, SourceName};

impl SharedAccounts {
    /// Returns those who have an account in each of the other sources.
    pub(super) fn in_other_sources<'a>(
        &'a self,
        source: &'a SourceName,
        account: &'a AccountId,
    ) -> impl Iterator<Item = &'a Vec<AccountHolder>> {
        self.sources
            .iter()
            .filter(move |name| *name != source)
            .filter_map(move |name| self.by_account.get(&(name.clone(), account.clone())))
    }

    /// Changes a decision that another source contradicts.
    pub(crate) fn reconcile_sources(
        &self,
        policy: &Policy,
        employee: &Employee,
        decision: Decision,
    ) -> Decision {
        match &decision.action {
            Action::Deactivate(_) if policy.sources_disagree == SourcesDisagree::Hold => {
                self.reconcile_end(employee, decision)
            }
            Action::Reactivate(_) => {
                let decision = self.ask_about_return(employee, decision);
                self.reconcile_return(employee, decision)
            }
            _ => decision,
        }
    }

    /// Changes a deactivation to a hold while another source, read completely and recently, reports the owner of the account
    /// as employed. A record of another tenant needs no read: which of the two is right is not known.
    fn reconcile_end(&self, employee: &Employee, mut decision: Decision) -> Decision {
        let Action::Deactivate(account) = decision.action.clone() else {
            return decision;
        };
        let works = |other: &&AccountHolder| {
            let is_read = other.is_fresh
                && other.record.presence == Presence::Present
                && other.is_certainly_employed();
            let is_of_other_tenant = other.key.tenant != employee.key.tenant;
            is_read || (is_of_other_tenant && other.record.may_keep_access())
        };
        let source = &employee.key.source;
        let mut others = self.in_other_sources(source, &account).flatten();
        if let Some(other) = others.find(works) {
            let name = &other.key.source;
            let facts_fingerprint = format!(
                "sources-disagree: {name};status={:?};termination_date={:?};account={account}",
                employee.status(),
                employee.termination_date().map(|(date, _)| date)
            );
            decision.reason += "; but source ";
            decision.reason += name.as_str();
            decision.reason += " reports the person as employed";
            decision.action = Action::Hold(HoldRequest {
                requested_action: RequestedAction::Deactivate,
                account: Some(account.clone()),
                facts_fingerprint,
            });
        }
        decision
    }

    /// Changes a reactivation. While another source reports the person as left, the account stays inactive. While another
    /// source is uncertain, the reactivation becomes a hold: no hold was opened for that uncertainty while the account was
    /// inactive.
    fn reconcile_return(&self, employee: &Employee, mut decision: Decision) -> Decision {
        let Action::Reactivate(account) = &decision.action else {
            return decision;
        };
        let source = &employee.key.source;
        let others: Vec<&Vec<AccountHolder>> = self.in_other_sources(source, account).collect();
        let works = |other: &AccountHolder| other.record.may_keep_access();
        if others.iter().any(|holders| {
            holders.iter().any(AccountHolder::has_left) && !holders.iter().any(works)
        }) {
            decision.action = Action::Keep(NoActionReason::AlreadyInactive);
            decision.reason += "; but another source reports a termination";
            return decision;
        }
        let uncertain = others
            .iter()
            .filter(|holders| !holders.iter().any(AccountHolder::is_certainly_employed))
            .find_map(|holders| holders.iter().find(|other| other.needs_person));
        if let Some(other) = uncertain {
            let uncertainty = other.record.employment.reason();
            decision.reason += "; but another source is uncertain: ";
            decision.reason += uncertainty;
            decision.action = Action::Hold(HoldRequest {
                requested_action: RequestedAction::Reactivate,
                account: Some(account.clone()),
                facts_fingerprint: format!("uncertain-elsewhere: {uncertainty};account={account}"),
            });
        }
        decision
    }
}
