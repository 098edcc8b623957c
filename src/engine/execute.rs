//! Executes decisions about a list of employees in one transaction: changes accounts, opens and withdraws holds, saves the
//! roster and writes the audit log. Every source of observations ends here.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::changes::ChangeSet;
use super::effects;
use super::evaluate::{Evaluated, Evaluation, evaluate_answers, evaluate_facts};
use super::origin::{Cause, Origin};
pub use super::outcome::Outcome;
use super::policies::Policies;
use super::safeguard::{self, Admission, Wanted, change_of};
use super::shadow::plan::PlannedChange;
use super::shadow::{self, ModeRead};
use crate::base::failpoints;
use crate::db::notification::{self, Topic};
use crate::db::transaction::{restore_lock_timeout, wait_for_own_locks};
use crate::engine::accounts::{self, AccountsTable, Applied, IfProtected};
use crate::engine::audit::{self, AuditAction, AuditEntry};
use crate::engine::batches::{self, Change, Direction};
use crate::engine::holds::{self, NewHold};
use crate::engine::outbox::{self, Events, employment::of_settled_ends};
use crate::roster;
use leaver_core::decision::assess::assess;
use leaver_core::decision::departure;
use leaver_core::decision::policy::Policy;
use leaver_core::decision::{Action, Decision, NoActionReason};
use leaver_core::domain::{Employee, EmployeeKey};

/// Other processes are notified of an end that is scheduled within this time. They look up later ones before.
const DUE_SOON: TimeDelta = TimeDelta::minutes(2);

/// The effects of a list of decisions.
#[derive(Debug, Default)]
pub struct ExecutionReport {
    /// The outcome of each employee of a configured source.
    pub outcomes: HashMap<EmployeeKey, Outcome>,
    /// True if an end of access was scheduled or moved.
    pub schedule_changed: bool,
    /// True if a read of an employee became due.
    pub reads_pending: bool,
    /// True if an event was recorded for a destination.
    pub events_recorded: bool,
    /// Why the database did not carry out a decision, by employee.
    pub blocked: HashMap<EmployeeKey, String>,
    /// Employees whose account would be changed, or who would be held. They are unchanged, since the origin defers changes.
    pub deferred: Vec<EmployeeKey>,
    /// The changes that wait, or that were announced and are decided now.
    pub(crate) wanted: Wanted,
}

/// Evaluates employees and executes the decisions, in a number of statements that does not depend on the number of
/// employees.
///
/// The transaction must hold the locks of their roster rows. Employees of sources that are not configured any more are saved
/// without a decision.
///
/// # Errors
/// Returns the database's error; the transaction must be rolled back then.
pub async fn execute(
    conn: &mut PgConnection,
    table: &AccountsTable,
    policies: &Policies,
    employees: Vec<Employee>,
    origin: &Origin,
    now: DateTime<Utc>,
) -> Result<ExecutionReport, sqlx::Error> {
    let executed = execute_unrecorded(conn, table, policies, employees, origin, now);
    let (mut report, events) = executed.await?;
    let recorded = outbox::record(conn, policies.subscriptions(), events, now).await?;
    report.events_recorded = recorded > 0;
    Ok(report)
}

/// Does the same, and leaves it to the caller to record the events.
///
/// # Errors
/// Returns the database's error; the transaction must be rolled back then.
pub(crate) async fn execute_unrecorded(
    conn: &mut PgConnection,
    table: &AccountsTable,
    policies: &Policies,
    employees: Vec<Employee>,
    origin: &Origin,
    now: DateTime<Utc>,
) -> Result<(ExecutionReport, Events), sqlx::Error> {
    let Evaluation {
        mut decided,
        unconfigured,
        externally_reactivated: mut active_again,
    } = match origin.cause {
        // The person decided about the holds of the trip.
        Cause::Release => evaluate_facts(conn, table, policies, employees, now).await?,
        _ => evaluate_answers(conn, table, policies, employees, now).await?,
    };
    let mut report = ExecutionReport::default();
    if origin.defers_changes {
        let (waiting, others): (Vec<Evaluated>, Vec<Evaluated>) =
            decided.into_iter().partition(Evaluated::changes_or_asks);
        report.wanted = safeguard::wanted(&waiting);
        report.deferred = waiting.into_iter().map(|e| e.employee.key).collect();
        decided = others;
    } else if !origin.announced.is_empty() {
        report.wanted = safeguard::wanted(&decided);
    }
    let mut admission = admit(conn, table, policies, &mut decided, origin, now).await?;
    let mut to_read = vec![];
    for Evaluated { employee, .. } in &decided {
        let can_read = |policy: &Policy| policy.can_read;
        let policy = policies.policy(&employee.key.source);
        let read = roster::pending_reads::for_employee(employee);
        to_read.extend(read.filter(|_| policy.is_some_and(can_read)));
    }

    let found = decided.iter().flat_map(|evaluated| &evaluated.found);
    accounts::protected::store::remember(conn, table, found, now).await?;
    let decisions: Vec<&Decision> = decided
        .iter()
        .map(|evaluated| &evaluated.decision)
        .collect();
    let applied = effects::apply(conn, table, &decisions, IfProtected::Block).await?;
    active_again.extend(applied.reactivated.iter().cloned());
    active_again.retain(|account| !applied.deactivated.contains(account));
    roster::store::forget_deactivation(conn, &active_again).await?;
    let seen = seen_changes(&decided, &applied, &admission, origin, policies);
    admission.use_grants(conn, &seen).await?;
    let mut events = std::mem::take(&mut admission.tripped);
    events.extend(batches::record(conn, table, &seen, origin, now).await?);
    if !seen.is_empty() {
        failpoints::reach("changes_recorded", []);
    }
    save_plan(conn, &decided, origin, now).await?;
    // While values are unknown, a planned change stays as it is.
    let keeps_plan: BTreeSet<EmployeeKey> = decided
        .iter()
        .filter(|evaluated| {
            let is_unread = evaluated.decision.action == Action::Keep(NoActionReason::AwaitingRead);
            evaluated.planned.is_some() || is_unread
        })
        .map(|evaluated| evaluated.employee.key.clone())
        .collect();
    let mut changes = ChangeSet::new(&origin.actor, now, &applied);
    let mut refused = outbox::Refused::default();
    let mut assessed = outbox::employment::Assessed::new(policies);
    let mut saved = unconfigured;
    let mut is_due_soon = false;
    for evaluated in decided {
        let account = evaluated.account().cloned();
        let unmatched = evaluated.is_leaver_without_account();
        let has_account = match evaluated.link_gone {
            // The end was that of the account that is gone. A later end needs another look for an account.
            Some(_) => true,
            None => account.as_ref().is_some_and(|account| account.is_active),
        };
        let is_held = evaluated.trip.is_some() || evaluated.is_rejected;
        let Evaluated {
            mut employee,
            employment,
            decision,
            trip,
            ..
        } = evaluated;
        departure::confirm(&mut employee);
        policies.forget_position(&mut employee);
        if has_returned(policies, &employee, has_account, now) {
            departure::returned(&mut employee, now);
        }
        let outcome = changes.record(&mut employee, account.as_ref(), &decision, unmatched, trip);
        report.schedule_changed |= matches!(outcome, Outcome::Scheduled | Outcome::Blocked);
        is_due_soon |= match outcome {
            Outcome::Blocked => true,
            Outcome::Scheduled => {
                let ends_at = employee.access_ends_at;
                ends_at.is_some_and(|at| at <= now + DUE_SOON)
            }
            _ => false,
        };
        report.outcomes.insert(employee.key.clone(), outcome);
        if let (Outcome::Blocked, Some(blocked)) = (outcome, &employee.blocked) {
            let reason = blocked.reason.clone();
            report.blocked.insert(employee.key.clone(), reason);
            refused.add(&decision, employee.work_email());
        }
        assessed.add(&employee, &employment, is_held);
        saved.push(employee);
    }
    let ChangeSet {
        mut entries,
        holds,
        mut without_hold,
        lapsed,
        ..
    } = changes;
    let holds = unanswered(conn, holds, &mut without_hold).await?;

    let actor = &origin.actor;
    events.extend(refused.events(&entries, origin));
    events.extend(holds::store::withdraw(conn, &without_hold, actor, now).await?);
    let settled = holds::withdraw_settled(conn, &applied, actor, now).await?;
    holds::store::lapse(conn, &lapsed).await?;
    for (position, id) in holds::store::raise(conn, &holds, origin.cause, now).await? {
        let Some(hold) = holds.get(position) else {
            continue;
        };
        events.extend([outbox::of_opened_hold(hold, id, origin.cause)]);
        entries.push(AuditEntry {
            action: AuditAction::HoldOpened,
            reason: hold.reason.clone(),
            employee: hold.employee.clone(),
            account: hold.question.account.clone(),
            delivery: hold.delivery,
            actor: origin.actor.clone(),
        });
    }
    // What became known of a person comes before what follows from it.
    let mut in_order: Events = assessed.events(conn, now).await?.into_iter().collect();
    let is_other = |key: &EmployeeKey| !report.outcomes.contains_key(key);
    in_order.extend(of_settled_ends(conn, policies, &settled, is_other, now).await?);
    events.extend(settled);
    in_order.extend(events);
    roster::store::save_evaluated(conn, &saved, |key| keeps_plan.contains(key), now).await?;
    report.reads_pending = roster::pending_reads::store::insert(conn, &to_read, now).await?;
    audit::store::record(conn, &entries, now).await?;
    if is_due_soon {
        notification::store::send(conn, Topic::Schedule).await?;
    }
    Ok((report, in_order))
}

/// Replaces the changes of sources in shadow mode, and those that the safeguard holds. Without a change that is due, it runs no
/// statement.
async fn admit(
    conn: &mut PgConnection,
    table: &AccountsTable,
    policies: &Policies,
    decided: &mut [Evaluated],
    origin: &Origin,
    now: DateTime<Utc>,
) -> Result<Admission, sqlx::Error> {
    let is_due = |evaluated: &Evaluated| shadow::writes_account(&evaluated.decision.action);
    if !decided.iter().any(is_due) {
        return Ok(Admission::default());
    }
    let timeout = wait_for_own_locks(conn).await?;
    shadow::plan_changes(conn, policies, decided, ModeRead::Locked, now).await?;
    let admission = safeguard::admit(conn, table, policies, decided, origin, now).await?;
    restore_lock_timeout(conn, &timeout).await?;
    Ok(admission)
}

/// Returns the holds that no person has rejected on the same facts. Of the others, an open hold of the employee no longer
/// applies. Without holds, it runs no statement.
async fn unanswered(
    conn: &mut PgConnection,
    mut holds: Vec<NewHold>,
    without_hold: &mut Vec<EmployeeKey>,
) -> Result<Vec<NewHold>, sqlx::Error> {
    if holds.is_empty() {
        return Ok(holds);
    }
    let keys: Vec<EmployeeKey> = holds.iter().map(|hold| hold.employee.clone()).collect();
    let mut histories = holds::store::history(conn, &keys).await?.into_iter();
    holds.retain(|hold| {
        let history = histories.next().unwrap_or_default();
        let fingerprint = &hold.question.facts_fingerprint;
        let is_answered = history.rejection(fingerprint).is_some();
        if is_answered {
            without_hold.push(hold.employee.clone());
        }
        !is_answered
    });
    Ok(holds)
}

/// Stores what shadow mode plans.
async fn save_plan(
    conn: &mut PgConnection,
    decided: &[Evaluated],
    origin: &Origin,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let planned: Vec<PlannedChange> = decided
        .iter()
        .filter_map(|evaluated| PlannedChange::of(evaluated, origin, now))
        .collect();
    shadow::store::save_plan(conn, &planned).await
}

/// Returns the changes that were seen in the database, one per account.
fn seen_changes(
    decided: &[Evaluated],
    applied: &Applied,
    admission: &Admission,
    origin: &Origin,
    policies: &Policies,
) -> Vec<Change> {
    let mut recorded = BTreeSet::new();
    let mut changes = vec![];
    for evaluated in decided {
        let Some((account, direction)) = change_of(&evaluated.decision) else {
            continue;
        };
        let seen = match direction {
            Direction::Deactivated => &applied.deactivated,
            Direction::Reactivated => &applied.reactivated,
        };
        if !seen.contains(account) || !recorded.insert(account) {
            continue;
        }
        let employee = &evaluated.employee;
        let is_counted =
            !origin.is_decided_by_person && admission.is_counted(&employee.key.tenant, direction);
        let change = Change::of(employee, account, direction, origin, is_counted);
        changes.push(match policies.policy(&employee.key.source) {
            Some(policy) => change.effective_by(policy, employee),
            None => change,
        });
    }
    changes
}

/// Returns whether the person works although an end was carried out, and has access or another account: somebody else gave
/// it.
fn has_returned(
    policies: &Policies,
    employee: &Employee,
    has_account: bool,
    now: DateTime<Utc>,
) -> bool {
    departure::is_carried_out(employee)
        && has_account
        && policies
            .policy(&employee.key.source)
            .is_some_and(|policy| assess(policy, employee, now).is_certainly_employed())
}
