//! Collects what executed decisions change: roster entries, audit entries and holds.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::execute::Outcome;
use crate::engine::accounts::Applied;
use crate::engine::audit::{Actor, AuditAction, AuditEntry};
use crate::engine::holds::NewHold;
use leaver_core::decision::{Action, Decision, NoActionReason};
use leaver_core::domain::{Account, AccountId, Employee, EmployeeKey};

/// The rows to save, collected decision by decision.
pub(crate) struct ChangeSet<'a> {
    actor: &'a Actor,
    now: DateTime<Utc>,
    applied: &'a Applied,
    /// Accounts with an audit entry: two employees who share an account cause one change.
    recorded: HashSet<AccountId>,
    /// Audit entries.
    pub(crate) entries: Vec<AuditEntry>,
    /// Holds to open.
    pub(crate) holds: Vec<NewHold>,
    /// Employees whose open hold no longer applies.
    pub(crate) without_hold: Vec<EmployeeKey>,
    /// Employees who have not left, as far as is known.
    pub(crate) not_leaving: Vec<EmployeeKey>,
}

impl<'a> ChangeSet<'a> {
    /// Creates an empty set.
    pub(crate) fn new(actor: &'a Actor, now: DateTime<Utc>, applied: &'a Applied) -> Self {
        Self {
            actor,
            now,
            applied,
            recorded: HashSet::new(),
            entries: vec![],
            holds: vec![],
            without_hold: vec![],
            not_leaving: vec![],
        }
    }

    /// Updates the roster entry to match what was applied, and records the change.
    pub(crate) fn record(
        &mut self,
        employee: &mut Employee,
        account: Option<&Account>,
        decision: &Decision,
    ) -> Outcome {
        if let Some(link) = &decision.link {
            if employee.account_id.as_ref() != Some(link) {
                // The deactivation was that of the earlier account.
                employee.deactivated_at = None;
            }
            employee.account_id = Some(link.clone());
        }
        let moved = self.record_schedule(employee, decision);
        // A hold stays open until the pending read has shown what changed.
        if !matches!(
            decision.action,
            Action::Hold(_) | Action::Keep(NoActionReason::AwaitingRead)
        ) {
            self.without_hold.push(employee.key.clone());
        }
        if matches!(
            decision.action,
            Action::Reactivate(_)
                | Action::Keep(NoActionReason::Employed | NoActionReason::Scheduled)
        ) {
            self.not_leaving.push(employee.key.clone());
        }
        match &decision.action {
            Action::Deactivate(id) => {
                if !self.applied.deactivated.contains(id) {
                    return Outcome::AlreadyInactive;
                }
                employee.deactivated_at = Some(self.now);
                self.record_once(AuditAction::Deactivated, employee, id, &decision.reason);
                Outcome::Deactivated
            }
            Action::Reactivate(id) => {
                if !self.applied.reactivated.contains(id) {
                    return Outcome::Kept;
                }
                employee.deactivated_at = None;
                self.record_once(AuditAction::Reactivated, employee, id, &decision.reason);
                Outcome::Reactivated
            }
            Action::EndSessions(_) => Outcome::AlreadyInactive,
            Action::Hold(question) => {
                self.holds.push(NewHold {
                    employee: employee.key.clone(),
                    question: question.clone(),
                    reason: decision.reason.clone(),
                    delivery: employee.last_delivery_id,
                });
                Outcome::Held
            }
            Action::Keep(reason) => {
                if account.is_some_and(|account| account.is_active) {
                    employee.deactivated_at = None;
                }
                match reason {
                    NoActionReason::Scheduled if moved => Outcome::Scheduled,
                    NoActionReason::Scheduled => Outcome::Unchanged,
                    NoActionReason::Employed => Outcome::Kept,
                    NoActionReason::AlreadyInactive => Outcome::AlreadyInactive,
                    NoActionReason::NoAccount => Outcome::NoAccount,
                    NoActionReason::AwaitingRead => Outcome::Reading,
                }
            }
        }
    }

    /// Returns whether an end of access was scheduled or moved. An end that has come, or that a deactivation replaces, is
    /// executed and not unscheduled.
    fn record_schedule(&mut self, employee: &mut Employee, decision: &Decision) -> bool {
        // A past end left in the roster would be due again at once, without end.
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
            let reason = &decision.reason;
            self.push(AuditAction::Unscheduled, employee, account.as_ref(), reason);
        }
        false
    }

    fn record_once(
        &mut self,
        action: AuditAction,
        employee: &Employee,
        account: &AccountId,
        reason: &str,
    ) {
        if self.recorded.insert(account.clone()) {
            self.push(action, employee, Some(account), reason);
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
