//! What a slice of decisions leaves behind: roster entries brought in line with what was done, lines for the
//! audit, questions for people.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::execute::Outcome;
use crate::engine::accounts::Applied;
use crate::engine::audit::{Actor, AuditAction, AuditEntry};
use crate::engine::holds::NewHold;
use leaver_core::decision::{Action, Decision, NoActionReason};
use leaver_core::domain::{Account, AccountId, Employee, EmployeeKey};

/// What is written down about a slice while it is carried out.
pub(crate) struct ChangeSet<'a> {
    actor: &'a Actor,
    now: DateTime<Utc>,
    applied: &'a Applied,
    /// Accounts whose change is recorded already: two employees of one account make one change.
    told: HashSet<AccountId>,
    /// Lines for the audit.
    pub(crate) entries: Vec<AuditEntry>,
    /// Questions for people.
    pub(crate) holds: Vec<NewHold>,
    /// Those about whom there is nothing to ask.
    pub(crate) settled: Vec<EmployeeKey>,
    /// Those who, as things stand, have not left.
    pub(crate) here: Vec<EmployeeKey>,
}

impl<'a> ChangeSet<'a> {
    /// Nothing is written down yet.
    pub(crate) fn new(actor: &'a Actor, now: DateTime<Utc>, applied: &'a Applied) -> Self {
        Self {
            actor,
            now,
            applied,
            told: HashSet::new(),
            entries: vec![],
            holds: vec![],
            settled: vec![],
            here: vec![],
        }
    }

    /// Brings the roster entry in line with what was done, and writes it down.
    pub(crate) fn note(
        &mut self,
        employee: &mut Employee,
        account: Option<&Account>,
        decision: &Decision,
    ) -> Outcome {
        if let Some(link) = &decision.link {
            if employee.account_id.as_ref() != Some(link) {
                // What we did to the account of before says nothing about this one.
                employee.deactivated_at = None;
            }
            employee.account_id = Some(link.clone());
        }
        let moved = self.record_schedule(employee, decision);
        // A change that is still to be read answers no open question.
        if !matches!(
            decision.action,
            Action::Hold(_) | Action::Keep(NoActionReason::Reading)
        ) {
            self.settled.push(employee.key.clone());
        }
        if matches!(
            decision.action,
            Action::Reactivate(_)
                | Action::Keep(NoActionReason::Employed | NoActionReason::Waiting)
        ) {
            self.here.push(employee.key.clone());
        }
        match &decision.action {
            Action::Deactivate(id) => {
                if !self.applied.deactivated.contains(id) {
                    return Outcome::AlreadyInactive;
                }
                employee.deactivated_at = Some(self.now);
                self.tell(
                    AuditAction::Deactivated,
                    employee,
                    Some(id),
                    &decision.reason,
                );
                Outcome::Deactivated
            }
            Action::Reactivate(id) => {
                if !self.applied.reactivated.contains(id) {
                    return Outcome::Kept;
                }
                employee.deactivated_at = None;
                self.tell(
                    AuditAction::Reactivated,
                    employee,
                    Some(id),
                    &decision.reason,
                );
                Outcome::Reactivated
            }
            Action::Hold(question) => {
                self.holds.push(NewHold {
                    employee: employee.key.clone(),
                    question: question.clone(),
                    reason: decision.reason.clone(),
                    delivery: employee.last_delivery_id,
                });
                Outcome::Held
            }
            Action::Keep(kept) => {
                if account.is_some_and(|account| account.is_active) {
                    employee.deactivated_at = None;
                }
                match kept {
                    NoActionReason::Waiting if moved => Outcome::Scheduled,
                    NoActionReason::Waiting => Outcome::Unchanged,
                    NoActionReason::Employed => Outcome::Kept,
                    NoActionReason::AlreadyInactive => Outcome::AlreadyInactive,
                    NoActionReason::NoAccount => Outcome::NoAccount,
                    NoActionReason::Reading => Outcome::Reading,
                }
            }
        }
    }

    /// Whether an end of access was noted or moved. One that has come, or that gives way to a deactivation
    /// now, is not withdrawn but carried out.
    fn record_schedule(&mut self, employee: &mut Employee, decision: &Decision) -> bool {
        // What is not ahead would make the timer look again at once, for ever.
        let after = decision.access_ends_at.filter(|at| *at > self.now);
        let before = std::mem::replace(&mut employee.access_ends_at, after);
        if before == after {
            return false;
        }
        let account = employee.account_id.clone();
        if let Some(at) = after {
            let reason = format!(
                "{}; access ends at {}",
                decision.reason,
                at.format("%Y-%m-%dT%H:%M:%SZ")
            );
            self.push(AuditAction::Scheduled, employee, account.as_ref(), &reason);
            return true;
        }
        let withdrawn = before.is_some_and(|at| at > self.now)
            && !matches!(decision.action, Action::Deactivate(_));
        if withdrawn {
            self.push(
                AuditAction::Unscheduled,
                employee,
                account.as_ref(),
                &decision.reason,
            );
        }
        false
    }

    fn tell(
        &mut self,
        action: AuditAction,
        employee: &Employee,
        account: Option<&AccountId>,
        reason: &str,
    ) {
        if account.is_none_or(|id| self.told.insert(id.clone())) {
            self.push(action, employee, account, reason);
        }
    }

    fn push(
        &mut self,
        action: AuditAction,
        employee: &Employee,
        account: Option<&AccountId>,
        reason: &str,
    ) {
        self.entries.push(AuditEntry {
            action,
            reason: reason.to_owned(),
            employee: employee.key.clone(),
            account: account.cloned(),
            delivery: employee.last_delivery_id,
            actor: self.actor.clone(),
        });
    }
}
