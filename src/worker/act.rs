//! From what is known to what is done, for a slice of employees in one transaction: find their accounts,
//! decide, apply, raise holds, save the roster, record. Whoever observed, this is the only way on.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::Rulebook;
use super::company::{Company, find_accounts};
use super::record::Record;
use crate::accounts::{self, AccountsTable};
use crate::audit::{self, Actor, AuditAction, AuditEntry};
use crate::decision::{Action, Decision, Kept, decide};
use crate::domain::{Account, Employee, EmployeeKey};
use crate::holds;
use crate::roster;

/// How it ended for one employee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ending {
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

impl Ending {
    /// Whether something was done, as opposed to found.
    #[must_use]
    pub fn is_deed(self) -> bool {
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
pub struct Acted {
    /// How it ended, employee by employee.
    pub endings: HashMap<EmployeeKey, Ending>,
    /// Whether an end of access was noted or moved, so that the timer should look anew.
    pub schedule_moved: bool,
    /// Whether a read of an employee became due.
    pub reads_due: bool,
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
    rules: &Rulebook,
    employees: Vec<Employee>,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Acted, sqlx::Error> {
    let accounts = find_accounts(conn, table, &employees).await?;
    let company = Company::gather(conn, rules, &employees, &accounts, now).await?;

    let mut decided: Vec<(Employee, Option<Account>, Decision)> =
        Vec::with_capacity(employees.len());
    let mut unruled: Vec<(Employee, bool)> = vec![];
    let mut to_read = vec![];
    for mut employee in employees {
        let Some(policy) = rules.policy(&employee.key.source) else {
            unruled.push((employee, true));
            continue;
        };
        to_read.extend(roster::due::of(&employee).filter(|_| policy.can_read));
        let found = accounts.get(&employee.key).map_or(&[][..], Vec::as_slice);
        employee.deactivated_at = company.deactivated_at(&employee, found);
        let (account_match, others) = company.judge_match(&employee, found);
        let decision = decide(policy, &employee, &account_match, &others, now);
        let decision = company.heed_other_sources(&employee, decision);
        let account = found.first().filter(|_| found.len() == 1).cloned();
        decided.push((employee, account, decision));
    }

    let applied =
        accounts::apply(conn, table, decided.iter().map(|(_, _, decision)| decision)).await?;
    let mut on_again = company.switched_on_since(&accounts);
    on_again.extend(applied.reactivated.iter().cloned());
    on_again.retain(|account| !applied.deactivated.contains(account));
    roster::store::forget_deactivation(conn, &on_again).await?;
    let mut record = Record::new(actor, now, &applied);
    let mut acted = Acted::default();
    let mut saved = unruled;
    for (mut employee, account, decision) in decided {
        let ending = record.note(&mut employee, account.as_ref(), &decision);
        acted.schedule_moved |= ending == Ending::Scheduled;
        acted.endings.insert(employee.key.clone(), ending);
        saved.push((employee, true));
    }
    let Record {
        mut entries,
        holds,
        settled,
        here,
        ..
    } = record;

    holds::store::withdraw(conn, &settled, now).await?;
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
    acted.reads_due = roster::due::store::note(conn, &to_read, now).await?;
    audit::store::record(conn, &entries, now).await?;
    Ok(acted)
}

/// What [`act`] would do about one employee now, and why, without doing it; `None` when the source is not
/// configured.
///
/// # Errors
/// Whatever the database says.
pub async fn foresee(
    conn: &mut PgConnection,
    table: &AccountsTable,
    rules: &Rulebook,
    employee: &Employee,
    now: DateTime<Utc>,
) -> Result<Option<(&'static str, String)>, sqlx::Error> {
    let Some(policy) = rules.policy(&employee.key.source) else {
        return Ok(None);
    };
    let slice = std::slice::from_ref(employee);
    let accounts = find_accounts(conn, table, slice).await?;
    let company = Company::gather(conn, rules, slice, &accounts, now).await?;
    let found = accounts.get(&employee.key).map_or(&[][..], Vec::as_slice);
    let (account_match, others) = company.judge_match(employee, found);
    let decision = decide(policy, employee, &account_match, &others, now);
    let decision = company.heed_other_sources(employee, decision);
    let what = match decision.action {
        Action::Deactivate(_) => "deactivate",
        Action::Reactivate(_) => "reactivate",
        Action::Hold(_) => "hold",
        Action::Keep(Kept::StillHere) => "keep",
        Action::Keep(Kept::AlreadyInactive) => "already inactive",
        Action::Keep(Kept::NoAccount) => "no account",
        Action::Keep(Kept::Waiting) => "scheduled",
        Action::Keep(Kept::Reading) => "reading",
    };
    Ok(Some((what, decision.reason)))
}
