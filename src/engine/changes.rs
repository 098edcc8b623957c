//! Collects what executed decisions change: roster entries, audit entries and holds.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::execute::Outcome;
use crate::base::backoff::{Backoff, Jitter};
use crate::engine::accounts::Applied;
use crate::engine::audit::{Actor, AuditAction, AuditEntry};
use crate::engine::holds::NewHold;
use leaver_core::decision::departure;
use leaver_core::decision::{Action, Decision, HoldRequest, NoActionReason, RequestedAction};
use leaver_core::domain::{Account, AccountId, Blocked, Employee, EmployeeKey};

/// Before the next attempt at a decision that the database did not carry out.
const BLOCKED_RETRY: Backoff = Backoff {
    base: Duration::from_secs(5),
    cap: Duration::from_hours(1),
    jitter: Jitter::Quarter,
};

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
    /// Employees whose rejected holds have no effect any more: they have not left, as far as is known, or the account was
    /// changed.
    pub(crate) lapsed: Vec<EmployeeKey>,
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
            lapsed: vec![],
        }
    }

    /// Updates the roster entry to match what was applied, and records the change.
    pub(crate) fn record(
        &mut self,
        employee: &mut Employee,
        account: Option<&Account>,
        decision: &Decision,
        is_leaver_without_account: bool,
        trip: Option<i64>,
    ) -> Outcome {
        if decision.action != Action::Keep(NoActionReason::AwaitingRead) {
            let since = employee.without_account_since.unwrap_or(self.now);
            employee.without_account_since = is_leaver_without_account.then_some(since);
        }
        if let Some(link) = &decision.link {
            if employee.account_id.as_ref() != Some(link) {
                // The deactivation was that of the earlier account.
                employee.deactivated_at = None;
            }
            employee.account_id = Some(link.clone());
        }
        // Somebody else activated the account: an earlier deactivation is not in effect any more.
        if account.is_some_and(|account| account.is_active) {
            employee.deactivated_at = None;
        }
        if let Some((id, reason)) = self.blocked(decision) {
            self.without_hold.push(employee.key.clone());
            return self.record_blocked(employee, id, reason);
        }
        let outcome = self.record_unblocked(employee, decision, trip);
        // While values are unknown, a blocked deactivation stays due.
        match &mut employee.blocked {
            Some(blocked) if outcome == Outcome::Reading => {
                blocked.retry_at = self.retry_at(blocked.since);
            }
            blocked => *blocked = None,
        }
        outcome
    }

    /// Returns the account that the database did not change, and why.
    fn blocked(&self, decision: &Decision) -> Option<(&'a AccountId, &'a str)> {
        let (Action::Deactivate(id) | Action::EndSessions(id) | Action::Reactivate(id)) =
            &decision.action
        else {
            return None;
        };
        let (id, reason) = self.applied.blocked.get_key_value(id)?;
        Some((id, reason))
    }

    /// Keeps the decision due, and the schedule that led to it. One audit entry is written per reason.
    fn record_blocked(
        &mut self,
        employee: &mut Employee,
        account: &AccountId,
        reason: &str,
    ) -> Outcome {
        let known = employee.blocked.take();
        let since = known.as_ref().map_or(self.now, |known| known.since);
        if known.is_none_or(|known| known.reason != reason) {
            self.record_once(AuditAction::Blocked, employee, account, reason);
        }
        employee.blocked = Some(Blocked {
            since,
            retry_at: self.retry_at(since),
            reason: reason.to_owned(),
        });
        Outcome::Blocked
    }

    fn retry_at(&self, since: DateTime<Utc>) -> DateTime<Utc> {
        let elapsed = (self.now - since).to_std().unwrap_or_default();
        let wait = BLOCKED_RETRY.wait_since_first(elapsed, fastrand::f64());
        self.now + TimeDelta::from_std(wait).unwrap_or(TimeDelta::hours(1))
    }

    /// Returns true if a question asks to deactivate an account that was deactivated just now.
    fn is_settled(&self, question: &HoldRequest) -> bool {
        let account = question.account.as_ref();
        question.requested_action == RequestedAction::Deactivate
            && account.is_some_and(|id| self.applied.deactivated.contains(id))
    }

    fn record_unblocked(
        &mut self,
        employee: &mut Employee,
        decision: &Decision,
        trip: Option<i64>,
    ) -> Outcome {
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
                | Action::Keep(
                    NoActionReason::Employed
                        | NoActionReason::Scheduled
                        | NoActionReason::Planned(RequestedAction::Reactivate)
                )
        ) {
            self.lapsed.push(employee.key.clone());
        }
        match &decision.action {
            Action::Deactivate(id) => {
                departure::carried_out(employee, self.now);
                if !self.applied.deactivated.contains(id) {
                    if self.applied.sessions_ended.contains(id) {
                        let reason = &decision.reason;
                        self.record_once(AuditAction::SessionsEnded, employee, id, reason);
                    }
                    return Outcome::AlreadyInactive;
                }
                employee.deactivated_at = Some(self.now);
                self.lapsed.push(employee.key.clone());
                self.record_once(AuditAction::Deactivated, employee, id, &decision.reason);
                Outcome::Deactivated
            }
            Action::Reactivate(id) => {
                if !self.applied.reactivated.contains(id) {
                    return Outcome::Kept;
                }
                employee.deactivated_at = None;
                departure::returned(employee, self.now);
                self.record_once(AuditAction::Reactivated, employee, id, &decision.reason);
                Outcome::Reactivated
            }
            Action::EndSessions(id) => {
                departure::carried_out(employee, self.now);
                if self.applied.sessions_ended.contains(id) {
                    self.record_once(AuditAction::SessionsEnded, employee, id, &decision.reason);
                }
                Outcome::AlreadyInactive
            }
            // Another record of the person has ended access in the same transaction.
            Action::Hold(question) if self.is_settled(question) => {
                self.without_hold.push(employee.key.clone());
                Outcome::AlreadyInactive
            }
            Action::Hold(question) => {
                self.holds.push(NewHold {
                    employee: employee.key.clone(),
                    work_email: employee.work_email().cloned(),
                    question: question.clone(),
                    reason: decision.reason.clone(),
                    delivery: employee.last_delivery_id,
                    trip,
                });
                Outcome::Held
            }
            Action::Keep(reason) => match reason {
                NoActionReason::Scheduled if moved => Outcome::Scheduled,
                NoActionReason::Scheduled => Outcome::Unchanged,
                NoActionReason::Employed => Outcome::Kept,
                NoActionReason::AlreadyInactive => Outcome::AlreadyInactive,
                NoActionReason::NoAccount => Outcome::NoAccount,
                NoActionReason::AwaitingRead => Outcome::Reading,
                NoActionReason::Planned(_) => Outcome::Planned,
            },
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
            && !matches!(
                decision.action,
                Action::Deactivate(_)
                    | Action::Keep(NoActionReason::Planned(RequestedAction::Deactivate))
            );
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
