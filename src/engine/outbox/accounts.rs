//! Events about accounts.

use std::collections::HashMap;

use serde_json::json;

use super::{Events, NewEvent, Subject, work_email};
use crate::engine::audit::{AuditAction, AuditEntry};
use crate::engine::batches::{Change, Direction};
use crate::engine::origin::{Cause, Origin};
use leaver_core::decision::{Action, Decision};
use leaver_core::domain::{AccountId, WorkEmail};
use leaver_core::events::EventType;

/// Returns the events of changes that were seen in the database.
pub(crate) fn of_changes(changes: &[Change], origin: &Origin) -> Events {
    let event = |change: &Change| {
        let kind = match (change.direction, origin.cause) {
            (Direction::Deactivated, _) => EventType::AccountDeactivated,
            (Direction::Reactivated, Cause::Undo) => EventType::AccountRestored,
            (Direction::Reactivated, _) => EventType::AccountReactivated,
        };
        let data = json!({
            "account_id": change.account.as_str(),
            "batch_id": change.batch,
            "cause": origin.cause.as_str(),
            "effective_at": change.effective_at,
            "provider_at": change.provider_at,
            "received_at": change.received_at,
        });
        NewEvent::new(kind, Subject::of(&change.employee), data)
            .with_details(work_email(change.work_email.as_ref()))
    };
    changes.iter().map(event).collect()
}

/// The requests that the database did not carry out, by account.
#[derive(Default)]
pub(crate) struct Refused(HashMap<AccountId, (&'static str, Option<WorkEmail>)>);

impl Refused {
    /// Adds a decision that the database did not carry out.
    pub(crate) fn add(&mut self, decision: &Decision, email: Option<&WorkEmail>) {
        let (account, requested) = match &decision.action {
            Action::Deactivate(account) => (account, "deactivate"),
            Action::EndSessions(account) => (account, "end_sessions"),
            Action::Reactivate(account) => (account, "reactivate"),
            Action::Hold(_) | Action::Keep(_) => return,
        };
        let first = self.0.entry(account.clone());
        first.or_insert_with(|| (requested, email.cloned()));
    }

    /// Returns the events of the entries of the audit log about changes that the database did not carry out.
    pub(crate) fn events(&self, entries: &[AuditEntry], origin: &Origin) -> Events {
        let blocked = entries.iter().filter(|e| e.action == AuditAction::Blocked);
        let event = |entry: &AuditEntry| {
            let account = entry.account.as_ref()?;
            let (requested, email) = self.0.get(account)?;
            let data = json!({
                "account_id": account.as_str(),
                "cause": origin.cause.as_str(),
                "reason": entry.reason,
                "requested_action": requested,
            });
            let event = NewEvent::new(
                EventType::AccountBlocked,
                Subject::of(&entry.employee),
                data,
            );
            Some(event.with_details(work_email(email.as_ref())))
        };
        blocked.filter_map(event).collect()
    }
}
