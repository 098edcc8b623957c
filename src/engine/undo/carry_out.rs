//! Carries out an undo that a person confirmed, in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use sqlx::{Connection, PgConnection};

use super::keep::{Restored, keep_restored};
use super::{
    KeptBecause, Undo, UndoError, UndoReport, UndoneAccount, examine, object, require_writers,
    store,
};
use crate::db::employee_keys::employee_key;
use crate::db::transaction::set_lock_timeout;
use crate::engine::accounts::{AccountsTable, Applied, IfProtected};
use crate::engine::audit::{self, Actor, AuditAction, AuditEntry};
use crate::engine::batches::{self, Change};
use crate::engine::effects;
use crate::engine::origin::{Cause, Origin};
use crate::engine::outbox::{self, Events};
use crate::engine::policies::Policies;
use crate::engine::previews::{self, PreviewKind};
use crate::roster;
use crate::roster::sharing;
use leaver_core::decision::{Action, Decision};
use leaver_core::domain::{AccountId, Employee, EmployeeKey, Tenant};

/// Source and employee id of an audit entry that is about no employee.
const NOBODY: &str = "-";

/// Restores the accounts of a list that was shown, as far as each can still be restored. The others of the selection stay as
/// they are, each with the reason.
///
/// # Errors
/// Returns an [`UndoError`]; nothing has changed then.
#[expect(clippy::too_many_arguments, reason = "each is an input of its own")]
pub async fn carry_out(
    conn: &mut PgConnection,
    table: &AccountsTable,
    policies: &Policies,
    undo: &Undo,
    digest: &str,
    expires_after: TimeDelta,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<UndoReport, UndoError> {
    require_writers(table, undo)?;
    let mut tx = conn.begin().await?;
    set_lock_timeout(&mut tx).await?;
    let subject = undo.subject();
    let confirmed = previews::confirm(
        &mut tx,
        PreviewKind::Undo,
        &subject,
        digest,
        expires_after,
        now,
    );
    let members = confirmed.await?;
    let ids = store::ids(&mut tx, &undo.selection).await?;
    let mut employees = lock_holders(&mut tx, table, policies, &ids).await?;
    store::lock(&mut tx, &ids).await?;
    let mut accounts = examine(&mut tx, table, &ids, undo, true).await?;
    object::keep_accounts(&mut tx, table, policies, &mut accounts, now).await?;
    for account in &mut accounts {
        let is_listed = account.changes.iter().all(|id| members.contains(id));
        if account.kept_because.is_none() && !is_listed {
            account.kept_because = Some(KeptBecause::NotListed);
        }
    }

    let applied = apply(&mut tx, table, &accounts).await?;
    note_effects(&mut accounts, &applied);
    let origin = Origin::person(Cause::Undo, actor);
    let restored = Restored {
        accounts: accounts
            .iter()
            .filter(|account| account.kept_because.is_none())
            .map(|account| (account.account.clone(), account))
            .collect(),
        applied: &applied,
    };
    let is_change = !restored.accounts.is_empty();
    if is_change {
        let mut events = keep_restored(
            &mut tx,
            table,
            policies,
            &mut employees,
            &restored,
            &origin,
            now,
        )
        .await?;
        events.extend(record(&mut tx, table, &accounts, &employees, &origin, now).await?);
        outbox::record(&mut tx, policies.subscriptions(), events, now).await?;
    }
    tx.commit().await?;
    let missed = accounts.iter().filter(|account| {
        let was_listed = account.selected.iter().any(|id| members.contains(id));
        was_listed && account.kept_because.is_some()
    });
    Ok(UndoReport {
        missed: missed.count(),
        digest: None,
        batch: is_change.then(|| origin.batch()),
        accounts,
    })
}

/// Locks the employees of the changes and everybody who is linked to one of the accounts, before the accounts: execution locks
/// in this order.
async fn lock_holders(
    conn: &mut PgConnection,
    table: &AccountsTable,
    policies: &Policies,
    ids: &[i64],
) -> Result<Vec<Employee>, sqlx::Error> {
    let changes = store::load(conn, table, ids).await?;
    let accounts = changes.iter().map(|change| change.account.clone());
    let accounts: BTreeSet<AccountId> = accounts.collect();
    let holders = sharing::store::find_linked(conn, &policies.names(), &accounts).await?;
    let keys: BTreeSet<EmployeeKey> = changes
        .into_iter()
        .map(|change| change.employee)
        .chain(holders.into_iter().map(|holder| holder.key))
        .collect();
    let keys: Vec<EmployeeKey> = keys.into_iter().collect();
    let mut employees = roster::store::lock_known(conn, &keys, &policies.sharing(table)).await?;
    table.complete_links(&mut employees);
    Ok(employees)
}

/// Restores the accounts that can be restored.
async fn apply(
    conn: &mut PgConnection,
    table: &AccountsTable,
    accounts: &[UndoneAccount],
) -> Result<Applied, sqlx::Error> {
    let restorable = accounts.iter().filter(|a| a.kept_because.is_none());
    let decisions: Vec<Decision> = restorable
        .map(|account| Decision {
            action: if account.activates() {
                Action::Reactivate(account.account.clone())
            } else {
                Action::Deactivate(account.account.clone())
            },
            access_ends_at: None,
            link: None,
            reason: String::new(),
        })
        .collect();
    let decisions: Vec<&Decision> = decisions.iter().collect();
    effects::apply(conn, table, &decisions, IfProtected::Block).await
}

/// Names the accounts that were not seen to change.
fn note_effects(accounts: &mut [UndoneAccount], applied: &Applied) {
    for account in accounts.iter_mut().filter(|a| a.kept_because.is_none()) {
        let (seen, reached) = if account.activates() {
            (&applied.reactivated, KeptBecause::ActiveAgain)
        } else {
            (&applied.deactivated, KeptBecause::InactiveAgain)
        };
        if let Some(reason) = applied.blocked.get(&account.account) {
            account.kept_because = Some(KeptBecause::Blocked(reason.clone()));
        } else if !seen.contains(&account.account) {
            account.kept_because = Some(reached);
        }
    }
}

/// Records the changes and their undo, and writes the audit log. Returns the events.
async fn record(
    conn: &mut PgConnection,
    table: &AccountsTable,
    accounts: &[UndoneAccount],
    employees: &[Employee],
    origin: &Origin,
    now: DateTime<Utc>,
) -> Result<Events, sqlx::Error> {
    let by_key: BTreeMap<&EmployeeKey, &Employee> = employees.iter().map(|e| (&e.key, e)).collect();
    let restored: Vec<&UndoneAccount> = accounts
        .iter()
        .filter(|account| account.kept_because.is_none())
        .collect();
    let changes: Vec<Change> = restored
        .iter()
        .map(|account| {
            // An account that `leaver end` ended may belong to no employee.
            let unknown = Employee::new(account.employee.clone());
            let employee = by_key.get(&account.employee).copied().unwrap_or(&unknown);
            let direction = account.opposite();
            Change {
                // No fact decided it.
                provider_at: None,
                received_at: None,
                ..Change::of(employee, &account.account, direction, origin, false)
            }
        })
        .collect();
    let events = batches::record(conn, table, &changes, origin, now).await?;
    let ids: Vec<i64> = restored.iter().flat_map(|a| a.changes.clone()).collect();
    store::mark_undone(conn, &ids, origin.batch()).await?;
    let mut entries: Vec<AuditEntry> = restored
        .iter()
        .map(|account| entry_of(account, &origin.actor))
        .collect();
    entries.extend(summaries(accounts, origin)?);
    audit::store::record(conn, &entries, now).await?;
    Ok(events)
}

fn entry_of(account: &UndoneAccount, actor: &Actor) -> AuditEntry {
    AuditEntry {
        action: if account.activates() {
            AuditAction::Reactivated
        } else {
            AuditAction::Deactivated
        },
        reason: format!(
            "undo of batch {} ({}): the account was {} at {}",
            account.batch,
            account.cause,
            account.direction.as_str(),
            account.at.to_rfc3339_opts(SecondsFormat::Secs, true),
        ),
        employee: account.employee.clone(),
        account: Some(account.account.clone()),
        delivery: None,
        actor: actor.clone(),
    }
}

/// Returns one entry per tenant with the numbers of accounts.
fn summaries(accounts: &[UndoneAccount], origin: &Origin) -> Result<Vec<AuditEntry>, sqlx::Error> {
    let mut by_tenant: BTreeMap<&Tenant, (usize, usize)> = BTreeMap::new();
    for account in accounts {
        let (restored, kept) = by_tenant.entry(&account.employee.tenant).or_default();
        if account.kept_because.is_none() {
            *restored += 1;
        } else {
            *kept += 1;
        }
    }
    let mut entries = vec![];
    for (tenant, (restored, kept)) in by_tenant {
        entries.push(AuditEntry {
            action: AuditAction::Undone,
            reason: format!(
                "{restored} of {} accounts restored (batch {})",
                restored + kept,
                origin.batch()
            ),
            employee: employee_key(NOBODY, tenant.as_str().to_owned(), NOBODY.to_owned())?,
            account: None,
            delivery: None,
            actor: origin.actor.clone(),
        });
    }
    Ok(entries)
}
