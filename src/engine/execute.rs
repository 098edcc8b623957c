//! From what is known to what is done, for a slice of employees in one transaction: find their accounts,
//! decide, apply, raise holds, save the roster, record. Whoever observed, this is the only way on.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::changes::ChangeSet;
use super::evaluate::{Evaluated, Evaluation, evaluate};
use super::policies::Policies;
use crate::engine::accounts::{self, AccountsTable};
use crate::engine::audit::{self, Actor, AuditAction, AuditEntry};
use crate::engine::holds;
use crate::roster;
use leaver_core::decision::policy::Policy;
use leaver_core::domain::{Employee, EmployeeKey};

/// How it ended for one employee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The account was switched off.
    Deactivated,
    /// The account was switched on again.
    Reactivated,
    /// Access ends later.
    Scheduled,
    /// A person must say.
    Held,
    /// The account stays as it is.
    Kept,
    /// The account was off already.
    AlreadyInactive,
    /// Nobody to switch off.
    NoAccount,
    /// Nothing new was said.
    Unchanged,
    /// What was said is older than what is known.
    Stale,
    /// What changed is to be read first.
    Reading,
}

impl Outcome {
    /// Whether something was done, as opposed to found.
    #[must_use]
    pub fn is_change(self) -> bool {
        matches!(
            self,
            Self::Deactivated | Self::Reactivated | Self::Scheduled | Self::Held
        )
    }

    /// The word in a delivery's outcome and in the metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deactivated => "deactivated",
            Self::Reactivated => "reactivated",
            Self::Scheduled => "scheduled",
            Self::Held => "held",
            Self::Kept => "kept",
            Self::AlreadyInactive => "already_inactive",
            Self::NoAccount => "no_account",
            Self::Unchanged => "unchanged",
            Self::Stale => "stale",
            Self::Reading => "reading",
        }
    }
}

/// What was done for a slice of employees.
#[derive(Debug, Default)]
pub struct ExecutionReport {
    /// How it ended, employee by employee.
    pub outcomes: HashMap<EmployeeKey, Outcome>,
    /// Whether an end of access was noted or moved, so that the timer should look anew.
    pub schedule_moved: bool,
    /// Whether a read of an employee became due.
    pub reads_pending: bool,
}

/// Decides and carries out, in a number of statements that does not depend on the length of the slice.
///
/// The roster rows of `employees` must be locked by the transaction. Employees of sources that are no
/// longer configured are saved and otherwise left alone.
///
/// # Errors
/// Whatever the database says; the transaction must be rolled back then.
pub async fn act(
    conn: &mut PgConnection,
    table: &AccountsTable,
    rules: &Policies,
    employees: Vec<Employee>,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<ExecutionReport, sqlx::Error> {
    let Evaluation {
        decided,
        unconfigured,
        externally_reactivated_since: mut on_again,
    } = evaluate(conn, table, rules, employees, now).await?;
    let mut to_read = vec![];
    for Evaluated { employee, .. } in &decided {
        let can_read = |policy: &Policy| policy.can_read;
        let read = roster::pending_reads::for_employee(employee);
        to_read.extend(read.filter(|_| rules.policy(&employee.key.source).is_some_and(can_read)));
    }

    let applied =
        accounts::apply(conn, table, decided.iter().map(|decided| &decided.decision)).await?;
    on_again.extend(applied.reactivated.iter().cloned());
    on_again.retain(|account| !applied.deactivated.contains(account));
    roster::store::forget_deactivation(conn, &on_again).await?;
    let mut record = ChangeSet::new(actor, now, &applied);
    let mut acted = ExecutionReport::default();
    let mut saved = unconfigured;
    for decided in decided {
        let account = decided.account().cloned();
        let Evaluated {
            mut employee,
            decision,
            ..
        } = decided;
        let outcome = record.note(&mut employee, account.as_ref(), &decision);
        acted.schedule_moved |= outcome == Outcome::Scheduled;
        acted.outcomes.insert(employee.key.clone(), outcome);
        saved.push(employee);
    }
    let ChangeSet {
        mut entries,
        holds,
        settled,
        here,
        ..
    } = record;

    holds::store::withdraw(conn, &settled, now).await?;
    holds::store::withdraw_returns(conn, &applied.reactivated, now).await?;
    holds::store::lapse(conn, &here).await?;
    for position in holds::store::raise(conn, &holds, now).await? {
        let Some(hold) = holds.get(position) else {
            continue;
        };
        entries.push(AuditEntry {
            action: AuditAction::Held,
            reason: hold.reason.clone(),
            employee: hold.employee.clone(),
            account: hold.question.account.clone(),
            delivery: hold.delivery,
            actor: actor.clone(),
        });
    }
    roster::store::save(conn, &saved, now).await?;
    acted.reads_pending = roster::pending_reads::store::insert(conn, &to_read, now).await?;
    audit::store::record(conn, &entries, now).await?;
    Ok(acted)
}
