//! Leaves accounts as they are that an undo would deactivate, and that are protected or have an owner of another tenant.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{KeptBecause, UndoneAccount};
use crate::engine::accounts::{self, AccountsTable};
use crate::engine::policies::Policies;
use crate::engine::shared_accounts::SharedAccounts;
use crate::roster;
use leaver_core::decision::RequestedAction;
use leaver_core::domain::{Account, AccountId, EmployeeKey, Tenant};

/// Keeps those of the accounts that must not be deactivated without a person. An undo that gives access back changes nothing
/// that a person has not listed.
pub(super) async fn keep_accounts(
    conn: &mut PgConnection,
    table: &AccountsTable,
    policies: &Policies,
    undone: &mut [UndoneAccount],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let is_concerned =
        |account: &&UndoneAccount| account.kept_because.is_none() && !account.activates();
    let concerned: Vec<&UndoneAccount> = undone.iter().filter(is_concerned).collect();
    if concerned.is_empty() {
        return Ok(());
    }
    let links: BTreeSet<(AccountId, Tenant)> = concerned
        .iter()
        .map(|undone| (undone.account.clone(), undone.employee.tenant.clone()))
        .collect();
    let keys: BTreeSet<EmployeeKey> = concerned
        .iter()
        .map(|undone| undone.employee.clone())
        .collect();
    let keys: Vec<EmployeeKey> = keys.into_iter().collect();
    let found = accounts::store::find_by_id(conn, table, &links).await?;
    let mut employees = roster::scan::store::find(conn, &keys).await?;
    table.complete_links(&mut employees);
    let found: BTreeMap<AccountId, Account> = found
        .into_iter()
        .map(|((id, _), account)| (id, account))
        .collect();
    let owners: HashMap<EmployeeKey, Vec<Account>> = concerned
        .iter()
        .filter_map(|undone| {
            let account = found.get(&undone.account)?;
            Some((undone.employee.clone(), vec![account.clone()]))
        })
        .collect();
    let shared = SharedAccounts::load(conn, table, policies, &employees, &owners, now).await?;
    for undone in undone.iter_mut() {
        if undone.kept_because.is_some() || undone.activates() {
            continue;
        }
        let account = found.get(&undone.account);
        let owner = employees.iter().find(|owner| owner.key == undone.employee);
        let objection = owner.and_then(|owner| {
            shared.objection(owner, &undone.account, RequestedAction::Deactivate)
        });
        undone.kept_because = match objection {
            _ if account.is_some_and(|account| policies.is_protected(account)) => {
                Some(KeptBecause::Protected)
            }
            objection => objection.map(KeptBecause::Objection),
        };
    }
    Ok(())
}
