//! Keeps restored accounts as they are until the facts change: neither a sync nor a drift fix, a replay or the timer repeats
//! the change that was undone.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::UndoneAccount;
use crate::engine::accounts::{AccountsTable, Applied};
use crate::engine::evaluate::{Evaluated, evaluate_facts};
use crate::engine::holds::{self, NewHold};
use crate::engine::origin::Origin;
use crate::engine::outbox::{Events, employment::of_settled_ends};
use crate::engine::policies::Policies;
use crate::engine::safeguard::change_of;
use crate::roster;
use leaver_core::decision::{Action, HoldRequest, NoActionReason, departure, request_change};
use leaver_core::domain::{AccountId, Employee, EmployeeKey};

/// The accounts that an undo has restored.
pub(super) struct Restored<'a> {
    /// By account.
    pub(super) accounts: BTreeMap<AccountId, &'a UndoneAccount>,
    /// The effects.
    pub(super) applied: &'a Applied,
}

impl Restored<'_> {
    /// Returns the restored account that an employee has.
    fn account_of(&self, employee: &Employee) -> Option<&UndoneAccount> {
        let account = employee.account_id.as_ref()?;
        self.accounts.get(account).copied()
    }
}

/// Updates the roster entries of everybody who has a restored account, and rejects what the facts would change again. Returns
/// the events.
pub(super) async fn keep_restored(
    conn: &mut PgConnection,
    table: &AccountsTable,
    policies: &Policies,
    employees: &mut [Employee],
    restored: &Restored<'_>,
    origin: &Origin,
    now: DateTime<Utc>,
) -> Result<Events, sqlx::Error> {
    let applied = restored.applied;
    roster::store::forget_deactivation(conn, &applied.reactivated).await?;
    let mut holders = vec![];
    for employee in employees {
        let Some(account) = restored.account_of(employee) else {
            continue;
        };
        employee.blocked = None;
        if account.activates() {
            employee.deactivated_at = None;
            departure::returned(employee, now);
        } else if employee.key == account.employee {
            employee.deactivated_at = Some(now);
            departure::carried_out(employee, now);
        }
        holders.push(employee.clone());
    }
    roster::store::save(conn, &holders, now).await?;
    let actor = &origin.actor;
    let mut events = holds::withdraw_settled(conn, applied, actor, now).await?;
    let ended = of_settled_ends(conn, policies, &events, |_| true, now).await?;
    events.extend(ended);
    let evaluation = evaluate_facts(conn, table, policies, holders, now).await?;
    let rejected: Vec<NewHold> = evaluation
        .decided
        .iter()
        .flat_map(|evaluated| rejections(evaluated, restored))
        .collect();
    let keys: Vec<EmployeeKey> = rejected.iter().map(|hold| hold.employee.clone()).collect();
    events.extend(holds::store::withdraw(conn, &keys, actor, now).await?);
    holds::store::insert_rejected(conn, &rejected, actor, now).await?;
    Ok(events)
}

/// Returns the requests that would repeat the change that was undone: the one that a rule makes now, and the plain change, which
/// the same facts imply once the rule or the pending read has no effect any more. None if the facts imply neither.
fn rejections(evaluated: &Evaluated, restored: &Restored<'_>) -> Vec<NewHold> {
    let employee = &evaluated.employee;
    let Some(restored) = restored.account_of(employee) else {
        return vec![];
    };
    let repeated = restored.direction;
    let by_rule = match &evaluated.decision.action {
        Action::Hold(request) if asks_for(request, restored) => Some(request.clone()),
        Action::Keep(NoActionReason::AwaitingRead) => None,
        _ => match change_of(&evaluated.decision) {
            Some((account, direction)) if *account == restored.account && direction == repeated => {
                None
            }
            _ => return vec![],
        },
    };
    let change = request_change(employee, repeated.requested_action(), &restored.account);
    let reason = format!(
        "{}; but an undo keeps the account as it is until the facts change",
        evaluated.decision.reason
    );
    let hold = |question| NewHold {
        employee: employee.key.clone(),
        work_email: None,
        question,
        reason: reason.clone(),
        delivery: None,
        trip: None,
    };
    [Some(change), by_rule]
        .into_iter()
        .flatten()
        .map(hold)
        .collect()
}

fn asks_for(request: &HoldRequest, restored: &UndoneAccount) -> bool {
    request.requested_action == restored.direction.requested_action()
        && request.account.as_ref() == Some(&restored.account)
}
