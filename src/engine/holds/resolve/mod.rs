//! Approves or rejects a hold, in one transaction with its audit entries.

mod error;
mod recheck;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};

pub use self::error::ResolveError;
use crate::db::error::is_malformed_value;
use crate::engine::accounts::{self, AccountsTable, IfProtected};
use crate::engine::audit::{self, Actor, AuditAction, AuditEntry};
use crate::engine::batches::{self, Change, Direction};
use crate::engine::effects;
use crate::engine::holds::close::close;
use crate::engine::holds::{self, Hold};
use crate::engine::origin::{Cause, Origin};
use crate::engine::outbox::{self, employment::of_settled_ends};
use crate::engine::policies::Policies;
use crate::engine::shadow;
use crate::roster::{self, sharing::Sharing};
use leaver_core::decision::assess::{Employment, assess};
use leaver_core::decision::{Action, Decision, RequestedAction, departure};
use leaver_core::domain::{Account, AccountId, DeliveryId, Employee, Tenant, WorkEmail};

/// The accounts that an approval is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// The account of the hold.
    OfHold,
    /// These accounts, of a hold that has none.
    Accounts(Vec<AccountId>),
    /// All accounts with the work e-mail of the employee, of a hold that has none.
    All,
}

/// The effect of an approved hold.
#[derive(Debug)]
pub struct Approved {
    /// The hold.
    pub hold: Hold,
    /// Its accounts. Each is true if the account was changed, false if it already was in that state.
    pub accounts: BTreeMap<AccountId, bool>,
    /// Accounts with the work e-mail of the employee that are still active.
    pub still_active: BTreeSet<AccountId>,
}

impl Approved {
    /// Returns true if an account was changed.
    #[must_use]
    pub fn is_change(&self) -> bool {
        self.accounts.values().any(|changed| *changed)
    }
}

/// Approves a hold and executes it, for all its accounts or for none.
///
/// The employee is linked to the first account. Drift names other accounts with the work e-mail that stay active.
///
/// # Errors
/// Returns a [`ResolveError`]; no account has changed then.
pub async fn approve(
    conn: &mut PgConnection,
    table: &AccountsTable,
    policies: &Policies,
    id: i64,
    named: &Named,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Approved, ResolveError> {
    let approved = try_to_approve(conn, table, policies, id, named, actor, now).await;
    if let Err(ResolveError::Unread { id, news }) = &approved {
        holds::store::add_to_reason(conn, *id, news).await?;
    }
    approved
}

async fn try_to_approve(
    conn: &mut PgConnection,
    table: &AccountsTable,
    policies: &Policies,
    id: i64,
    named: &Named,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Approved, ResolveError> {
    let mut tx = conn.begin().await?;
    // Others who have the account stay as they are until the commit.
    let sharing = policies.sharing(table);
    let (hold, key) = close(&mut tx, id, "approved", &sharing, actor, now).await?;
    if shadow::store::is_shadowed(&mut tx, &key.source).await? {
        let source_name = key.source;
        return Err(ResolveError::Shadow { id, source_name });
    }
    let mut employees =
        roster::store::lock(&mut tx, std::slice::from_ref(&key), &sharing, now).await?;
    table.complete_links(&mut employees);
    for employee in &employees {
        if let Some(reason) = recheck::why_outside(&mut tx, policies, employee).await? {
            return Err(ResolveError::Outside { id, reason });
        }
    }
    let same_email = accounts_with_email(&mut tx, table, &employees).await?;
    let requested = requested(&hold, named, &same_email)?;
    let requested: Vec<AccountId> = requested
        .into_iter()
        .map(|id| table.account_in(id, &key.tenant))
        .collect();
    let link = requested.first();
    let ids: BTreeSet<AccountId> = requested.iter().cloned().collect();
    let found = find_and_lock(&mut tx, table, &ids, &key.tenant).await?;

    let reactivates = hold.requested_action == "reactivate";
    let mut other = found
        .values()
        .filter(|found| reactivates && found.has_other_inactive_status);
    if let Some(account) = other.next() {
        let account = account.id.clone();
        return Err(ResolveError::OtherStatus { id, account });
    }
    for employee in &employees {
        let unread = recheck::unread(&mut tx, table, policies, &hold, employee, &found, now);
        let unread = unread.await?;
        if !unread.is_empty() {
            let news = unread.join("; ");
            return Err(ResolveError::Unread { id, news });
        }
    }
    let decide = |action: fn(AccountId) -> Action, account: &AccountId| Decision {
        action: action(account.clone()),
        access_ends_at: None,
        link: None,
        reason: hold.reason.clone(),
    };
    let action = if reactivates {
        Action::Reactivate
    } else {
        Action::Deactivate
    };
    let decisions: Vec<Decision> = ids.iter().map(|id| decide(action, id)).collect();
    let decisions: Vec<&Decision> = decisions.iter().collect();
    let mut applied = effects::apply(&mut tx, table, &decisions, IfProtected::Deactivate).await?;
    if let Some((account, reason)) = applied.blocked.pop_first() {
        return Err(ResolveError::Blocked {
            id,
            account,
            reason,
        });
    }
    roster::store::forget_deactivation(&mut tx, &applied.reactivated).await?;
    let mut events = outbox::of_closed_holds([&hold], actor)?;
    let settled = holds::withdraw_settled(&mut tx, &applied, actor, now).await?;
    let ended = of_settled_ends(&mut tx, policies, &settled, |other| *other != key, now).await?;
    events.extend(settled);
    events.extend(ended);

    let changed = applied.deactivated.union(&applied.reactivated).cloned();
    let changed: BTreeSet<AccountId> = changed.collect();
    for employee in &mut employees {
        if !changed.is_empty() {
            employee.deactivated_at = (!reactivates).then_some(now);
        } else if employee.account_id.as_ref() != link {
            // The deactivation was that of the earlier account.
            employee.deactivated_at = None;
        }
        if reactivates {
            departure::returned(employee, now);
        } else {
            departure::carried_out(employee, now);
        }
        employee.blocked = None;
        employee.without_account_since = None;
        employee.account_id = link.cloned();
    }
    events.extend(employment_events(&mut tx, policies, &employees, &hold, now).await?);
    roster::store::save(&mut tx, &employees, now).await?;
    let direction = if reactivates {
        Direction::Reactivated
    } else {
        Direction::Deactivated
    };
    let origin = Origin::person(Cause::Cli, actor);
    let records: Vec<Change> = employees
        .first()
        .map(|employee| {
            let of = |id| Change::of(employee, id, direction, &origin, false);
            changed.iter().map(of).collect()
        })
        .unwrap_or_default();
    events.extend(batches::record(&mut tx, table, &records, &origin, now).await?);

    let entry = |action, account: &AccountId| AuditEntry {
        action,
        reason: hold.reason.clone(),
        employee: key.clone(),
        account: Some(account.clone()),
        delivery: hold.delivery_id.map(DeliveryId),
        actor: actor.clone(),
    };
    let mut entries = vec![];
    for account in &ids {
        entries.push(entry(AuditAction::Approved, account));
        if applied.deactivated.contains(account) {
            entries.push(entry(AuditAction::Deactivated, account));
        } else if applied.reactivated.contains(account) {
            entries.push(entry(AuditAction::Reactivated, account));
        } else if applied.sessions_ended.contains(account) {
            entries.push(entry(AuditAction::SessionsEnded, account));
        }
    }
    audit::store::record(&mut tx, &entries, now).await?;
    outbox::record(&mut tx, policies.subscriptions(), events, now).await?;
    tx.commit().await?;
    let others = same_email
        .into_iter()
        .filter(|account| !ids.contains(&account.id));
    let still_active = others.filter(|account| account.is_active && !reactivates);
    Ok(Approved {
        still_active: still_active.map(|account| account.id).collect(),
        accounts: ids
            .iter()
            .map(|id| (id.clone(), changed.contains(id)))
            .collect(),
        hold,
    })
}

/// Returns the events about employees whose end of employment, or whose return, the person confirmed.
async fn employment_events(
    conn: &mut PgConnection,
    policies: &Policies,
    employees: &[Employee],
    hold: &Hold,
    now: DateTime<Utc>,
) -> Result<Vec<outbox::NewEvent>, sqlx::Error> {
    let mut assessed = outbox::employment::Assessed::new(policies);
    let reason = hold.reason.clone();
    let left = Employment::Left { reason };
    for employee in employees {
        if hold.requested_action == RequestedAction::Deactivate.as_str() {
            assessed.add(employee, &left, false);
        } else if let Some(policy) = policies.policy(&employee.key.source) {
            let employment = assess(policy, employee, now);
            if employment.is_certainly_employed() {
                assessed.add(employee, &employment, false);
            }
        }
    }
    assessed.events(conn, now).await
}

/// Returns the accounts that an approval is about, at least one.
fn requested(
    hold: &Hold,
    named: &Named,
    same_email: &[Account],
) -> Result<Vec<AccountId>, ResolveError> {
    let id = hold.id;
    let of_hold = hold.account_id.clone().map(AccountId::new);
    match (of_hold, named) {
        (Some(account), Named::Accounts(named)) if named.iter().any(|id| *id != account) => {
            Err(ResolveError::OtherAccount { id, account })
        }
        (Some(account), _) => Ok(vec![account]),
        (None, Named::Accounts(named)) if !named.is_empty() => Ok(named.clone()),
        (None, Named::All) if same_email.is_empty() => Err(ResolveError::NoneMatches(id)),
        (None, Named::All) => Ok(same_email
            .iter()
            .map(|account| account.id.clone())
            .collect()),
        (None, Named::OfHold | Named::Accounts(_)) => Err(ResolveError::NoAccount(id)),
    }
}

/// Returns the accounts with the work e-mail of an employee who is linked to none, or to one that does not exist any more.
async fn accounts_with_email(
    conn: &mut PgConnection,
    table: &AccountsTable,
    employees: &[Employee],
) -> Result<Vec<Account>, sqlx::Error> {
    let link = |employee: &Employee| {
        let account = employee.account_id.clone();
        account.map(|account| (account, employee.key.tenant.clone()))
    };
    let links = employees.iter().filter_map(link).collect();
    let linked = accounts::store::find_by_id(conn, table, &links).await?;
    let wanted: Vec<(WorkEmail, Tenant)> = employees
        .iter()
        .filter(|employee| link(employee).is_none_or(|link| !linked.contains_key(&link)))
        .filter_map(|e| Some((e.work_email()?.clone(), e.key.tenant.clone())))
        .collect();
    let found = accounts::store::find_by_email(conn, table, &wanted).await?;
    Ok(found.into_iter().flatten().collect())
}

/// Returns the accounts with these ids in a tenant, as they are under a lock: what another session changes meanwhile is read
/// after its commit.
///
/// # Errors
/// Returns an error if an id is that of no account, or the database's error.
async fn find_and_lock(
    conn: &mut PgConnection,
    table: &AccountsTable,
    ids: &BTreeSet<AccountId>,
    tenant: &Tenant,
) -> Result<BTreeMap<AccountId, Account>, ResolveError> {
    let missing = |found: &BTreeMap<AccountId, Account>| {
        let missing = ids.iter().find(|id| !found.contains_key(*id));
        missing.map_or(Ok(()), |id| Err(ResolveError::NoSuchAccount(id.clone())))
    };
    // The statement that locks fails on a text that is not a value of the id column's type.
    missing(&find_tolerantly(conn, table, ids, Some(tenant)).await?)?;
    accounts::writers::store::present(conn, table, ids, true).await?;
    let found = find_tolerantly(conn, table, ids, Some(tenant)).await?;
    missing(&found)?;
    Ok(found)
}

/// Returns the accounts with these ids. A text that is not a value of the id column's type is the id of no account.
pub(crate) async fn find_tolerantly(
    conn: &mut PgConnection,
    table: &AccountsTable,
    ids: &BTreeSet<AccountId>,
    tenant: Option<&Tenant>,
) -> Result<BTreeMap<AccountId, Account>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut savepoint = conn.begin().await?;
    match accounts::store::find_in_tenant(&mut savepoint, table, ids, tenant).await {
        Ok(found) => {
            savepoint.commit().await?;
            let by_id = found.into_iter().map(|found| (found.id.clone(), found));
            return Ok(by_id.collect());
        }
        Err(error) if is_malformed_value(&error) => savepoint.rollback().await?,
        Err(error) => return Err(error),
    }
    if ids.len() < 2 {
        return Ok(BTreeMap::new());
    }
    let mut by_id = BTreeMap::new();
    for id in ids {
        by_id.extend(Box::pin(find_tolerantly(conn, table, &[id.clone()].into(), tenant)).await?);
    }
    Ok(by_id)
}

/// Rejects a hold. It is opened again only if the facts it was based on change.
///
/// # Errors
/// Returns a [`ResolveError`]; nothing has changed then.
pub async fn reject(
    conn: &mut PgConnection,
    policies: &Policies,
    id: i64,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Hold, ResolveError> {
    let mut tx = conn.begin().await?;
    let alone = Sharing::default();
    let (hold, key) = close(&mut tx, id, "rejected", &alone, actor, now).await?;
    let entry = AuditEntry {
        action: AuditAction::Rejected,
        reason: hold.reason.clone(),
        employee: key,
        account: hold.account_id.clone().map(AccountId::new),
        delivery: hold.delivery_id.map(DeliveryId),
        actor: actor.clone(),
    };
    audit::store::record(&mut tx, &[entry], now).await?;
    let events = outbox::of_closed_holds([&hold], actor)?;
    outbox::record(&mut tx, policies.subscriptions(), events, now).await?;
    tx.commit().await?;
    Ok(hold)
}
