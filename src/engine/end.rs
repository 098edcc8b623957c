//! Ends access on a person's word, with the guarantees of a deactivation that an HR system causes.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};

use super::policies::Policies;
use super::shared_accounts::find_accounts;
use crate::db::employee_keys::employee_key;
use crate::db::transaction::set_lock_timeout;
use crate::engine::accounts::{self, AccountsTable, Applied, IfProtected};
use crate::engine::audit::{self, Actor, AuditAction, AuditEntry};
use crate::engine::batches::{self, Change, Direction};
use crate::engine::effects;
use crate::engine::holds::{self, resolve::find_tolerantly};
use crate::engine::origin::{Cause, Origin};
use crate::engine::outbox::{self, Events};
use crate::roster::{self, sharing};
use leaver_core::decision::{Action, Decision, RequestedAction, departure};
use leaver_core::domain::{
    Account, AccountId, Employee, EmployeeKey, SourceName, Tenant, WorkEmail,
};

/// Source, employee id and, unless the account has one, tenant in the audit log of an account of no known employee.
const NOBODY: &str = "-";

/// The person whose access ends, as named at the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// A work e-mail, an employee id or an account id.
    Any(String),
    /// An account id, written as `account:ID`.
    Account(AccountId),
    /// An employee id, written as `employee:ID`.
    Employee(String),
}

impl Who {
    /// Reads a text from the command line.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        if let Some(id) = text.strip_prefix("account:") {
            return Self::Account(AccountId::new(id));
        }
        match text.strip_prefix("employee:") {
            Some(id) => Self::Employee(id.to_owned()),
            None => Self::Any(text.to_owned()),
        }
    }
}

/// An account that may be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The account.
    pub account: Account,
    /// The employees who have it.
    pub employees: BTreeSet<EmployeeKey>,
    /// True if `accounts.protected` lists it.
    pub protected: bool,
}

/// The accounts and employees that a name fits.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The accounts, in the order of their ids.
    pub candidates: Vec<Candidate>,
    /// Employees without an account.
    pub without_account: Vec<EmployeeKey>,
}

impl Found {
    /// Returns true if more than one person may be meant.
    #[must_use]
    pub fn is_ambiguous(&self) -> bool {
        self.candidates.len() + self.without_account.len() > 1
    }
}

/// An account whose access was ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The account.
    pub account: AccountId,
    /// True if it was active; false if only its sessions were ended.
    pub changed: bool,
}

/// Why access could not be ended.
#[derive(Debug, thiserror::Error)]
pub enum EndError {
    /// The database did not change the account.
    #[error("the database did not change account {account}: {reason}; nothing was changed")]
    Blocked {
        /// The account.
        account: AccountId,
        /// Why.
        reason: String,
    },
    /// The database failed.
    #[error("cannot end access; nothing was changed")]
    Database(#[from] sqlx::Error),
}

/// Finds the accounts that a name fits. With a source, only employees of that source count; with a tenant, only employees and
/// accounts of that tenant.
///
/// # Errors
/// Returns the database's error.
pub async fn find(
    conn: &mut PgConnection,
    table: &AccountsTable,
    policies: &Policies,
    who: &Who,
    source: Option<&SourceName>,
    tenant: Option<&Tenant>,
) -> Result<Found, sqlx::Error> {
    let (id, email) = match who {
        Who::Account(_) => ("", None),
        Who::Employee(id) => (id.as_str(), None),
        Who::Any(text) => (text.as_str(), WorkEmail::parse(text)),
    };
    let emails = email
        .as_ref()
        .map_or_else(BTreeSet::new, |email| table.email_domains.aliases(email));
    let mut employees: Vec<Employee> = vec![];
    if !id.is_empty() {
        employees = roster::store::find_by_email_or_id(conn, &emails, id).await?;
        employees.retain(|employee| source.is_none_or(|source| employee.key.source == *source));
        employees.retain(|employee| tenant.is_none_or(|tenant| employee.key.tenant == *tenant));
    }
    table.complete_links(&mut employees);

    let mut by_id: BTreeMap<AccountId, Account> = BTreeMap::new();
    // An account without a tenant is of a tenant only by its employees.
    if source.is_none() && (tenant.is_none() || table.has_tenants) {
        let named = match who {
            Who::Account(account) => Some(account.clone()),
            Who::Employee(_) => None,
            Who::Any(text) => Some(AccountId::new(text)),
        };
        by_id.extend(find_tolerantly(conn, table, &named.into_iter().collect(), tenant).await?);
        let wanted: Vec<(WorkEmail, Tenant)> = email
            .iter()
            .flat_map(|email| policies.tenants().into_iter().map(|t| (email.clone(), t)))
            .filter(|(_, of)| tenant.is_none_or(|tenant| of == tenant))
            .collect();
        let found = accounts::store::find_by_email(conn, table, &wanted).await?;
        by_id.extend(
            found
                .into_iter()
                .flatten()
                .map(|found| (found.id.clone(), found)),
        );
    }
    let of_employees = find_accounts(conn, table, &employees).await?;
    let mut holders: BTreeMap<AccountId, BTreeSet<EmployeeKey>> = BTreeMap::new();
    let mut without_account = vec![];
    for employee in &employees {
        let found = of_employees
            .by_employee
            .get(&employee.key)
            .map_or(&[][..], Vec::as_slice);
        if found.is_empty() {
            without_account.push(employee.key.clone());
        }
        for account in found {
            by_id.insert(account.id.clone(), account.clone());
            let keys = holders.entry(account.id.clone()).or_default();
            keys.insert(employee.key.clone());
        }
    }
    let ids: BTreeSet<AccountId> = by_id.keys().cloned().collect();
    let mut sharers = sharing::store::find_linked(conn, &policies.names(), &ids).await?;
    table.complete_links(&mut sharers);
    for employee in sharers {
        if let Some(account) = employee.account_id {
            holders.entry(account).or_default().insert(employee.key);
        }
    }
    Ok(Found {
        candidates: by_id
            .into_values()
            .map(|account| Candidate {
                employees: holders.remove(&account.id).unwrap_or_default(),
                protected: policies.is_protected(&account),
                account,
            })
            .collect(),
        without_account,
    })
}

/// Ends the access of these accounts now, in one transaction: of all of them or of none.
///
/// The HR system may go on reporting employment. Only a person can give access back, or a hire date after this day that is not
/// known yet.
///
/// # Errors
/// Returns an [`EndError`]; nothing has changed then.
pub async fn end_access(
    conn: &mut PgConnection,
    table: &AccountsTable,
    policies: &Policies,
    candidates: &[Candidate],
    reason: &str,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Vec<Ended>, EndError> {
    let mut tx = conn.begin().await?;
    set_lock_timeout(&mut tx).await?;
    let keys: BTreeSet<EmployeeKey> = candidates
        .iter()
        .flat_map(|c| &c.employees)
        .cloned()
        .collect();
    let keys: Vec<EmployeeKey> = keys.into_iter().collect();
    let mut employees = roster::store::lock(&mut tx, &keys, &policies.sharing(table), now).await?;
    table.complete_links(&mut employees);

    let applied = apply(&mut tx, table, candidates, reason).await?;
    if let Some((account, reason)) = applied.blocked.iter().next() {
        let (account, reason) = (account.clone(), reason.clone());
        return Err(EndError::Blocked { account, reason });
    }
    // A deactivation by a person is not undone when the HR system repeats that the person works there.
    roster::store::forget_deactivation(&mut tx, &applied.deactivated).await?;
    for employee in &mut employees {
        let mut own = candidates
            .iter()
            .filter(|c| c.employees.contains(&employee.key));
        let Some(first) = own.next() else { continue };
        let is_only = own.next().is_none();
        if employee.account_id.is_none() && is_only {
            employee.account_id = Some(first.account.id.clone());
        }
        if applied.deactivated.contains(&first.account.id) {
            employee.deactivated_at = None;
        }
        departure::ended_by_hand(employee, now);
        employee.blocked = None;
        employee.without_account_since = None;
    }
    roster::store::save_evaluated(&mut tx, &employees, |_| false, now).await?;
    let origin = Origin::person(Cause::Cli, actor);
    let changes: Vec<Change> = candidates
        .iter()
        .map(|candidate| &candidate.account.id)
        .filter(|id| applied.deactivated.contains(*id))
        .map(|id| {
            let holder = candidates
                .iter()
                .filter(|candidate| candidate.account.id == *id)
                .find_map(|candidate| candidate.employees.first());
            let known = employees.iter().find(|e| Some(&e.key) == holder);
            let unknown = Employee::new(nobody(id)?);
            let employee = known.unwrap_or(&unknown);
            let direction = Direction::Deactivated;
            Ok(Change::of(employee, id, direction, &origin, false))
        })
        .collect::<Result<_, sqlx::Error>>()?;
    let mut closed = holds::store::withdraw(&mut tx, &keys, actor, now).await?;
    let all: BTreeSet<AccountId> = candidates.iter().map(|c| c.account.id.clone()).collect();
    for request in [RequestedAction::Reactivate, RequestedAction::Deactivate] {
        let withdrawn = holds::store::withdraw_applied(&mut tx, request, &all, actor, now);
        closed.extend(withdrawn.await?);
    }
    // The end that the safeguard held has come about.
    let ended = outbox::employment::of_settled_ends(&mut tx, policies, &closed, |_| true, now);
    let mut events: Events = ended.await?.into_iter().collect();
    events.extend(batches::record(&mut tx, table, &changes, &origin, now).await?);
    events.extend(closed);

    let entries: Vec<AuditEntry> = candidates
        .iter()
        .map(|candidate| {
            let account = &candidate.account.id;
            Ok(AuditEntry {
                action: if applied.deactivated.contains(account) {
                    AuditAction::Deactivated
                } else {
                    AuditAction::SessionsEnded
                },
                reason: format!("ended by hand: {reason}"),
                employee: match candidate.employees.first() {
                    Some(employee) => employee.clone(),
                    None => nobody(account)?,
                },
                account: Some(account.clone()),
                delivery: None,
                actor: actor.clone(),
            })
        })
        .collect::<Result<_, sqlx::Error>>()?;
    audit::store::record(&mut tx, &entries, now).await?;
    outbox::record(&mut tx, policies.subscriptions(), events, now).await?;
    tx.commit().await?;
    Ok(all
        .into_iter()
        .map(|account| Ended {
            changed: applied.deactivated.contains(&account),
            account,
        })
        .collect())
}

/// Returns the key under which the audit log has an account of no known employee.
fn nobody(account: &AccountId) -> Result<EmployeeKey, sqlx::Error> {
    let tenant = account.tenant().unwrap_or(NOBODY);
    employee_key(NOBODY, tenant.to_owned(), NOBODY.to_owned())
}

/// Deactivates the accounts, and ends the sessions of those that were inactive already.
async fn apply(
    conn: &mut PgConnection,
    table: &AccountsTable,
    candidates: &[Candidate],
    reason: &str,
) -> Result<Applied, sqlx::Error> {
    let decide = |candidate: &Candidate| Decision {
        action: Action::Deactivate(candidate.account.id.clone()),
        access_ends_at: None,
        link: None,
        reason: reason.to_owned(),
    };
    let decisions: Vec<Decision> = candidates.iter().map(decide).collect();
    let decisions: Vec<&Decision> = decisions.iter().collect();
    let has_protected = candidates.iter().any(|candidate| candidate.protected);
    let if_protected = if has_protected {
        IfProtected::Deactivate
    } else {
        IfProtected::Block
    };
    effects::apply(conn, table, &decisions, if_protected).await
}
