//! Active accounts that belong to no employee of the roster.

use std::collections::BTreeSet;

use super::compare::{Found, PAGE_SIZE};
use super::{AccountWithoutEmployee, Finding, store};
use crate::engine::Engine;
use crate::engine::accounts::{self, AccountsTable};
use crate::roster;
use leaver_core::domain::{Account, WorkEmail};

/// Finds the active accounts without an employee in the roster.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn compare_accounts(
    engine: &Engine,
    table: &AccountsTable,
    found: &mut Found<'_>,
) -> Result<(), sqlx::Error> {
    let names = engine.policies.names();
    let sharing = engine.policies.sharing(table);
    let policies = || names.iter().filter_map(|name| engine.policies.policy(name));
    let is_protected = |email: &WorkEmail| policies().any(|p| p.protected.contains(email));
    let mut after = None;
    loop {
        let mut conn = engine.pool.acquire().await?;
        let mut snapshot = store::snapshot(&mut conn).await?;
        let page =
            accounts::store::active_after(&mut snapshot, table, after.as_ref(), PAGE_SIZE).await?;
        let Some(last) = page.last() else {
            return snapshot.rollback().await;
        };
        after = Some(last.id.clone());
        let ids: Vec<&str> = page.iter().map(|account| account.id.as_str()).collect();
        let aliases = |account: &Account| {
            let email = account.email.as_ref();
            email.map_or_else(BTreeSet::new, |email| table.email_domains.aliases(email))
        };
        let emails: BTreeSet<WorkEmail> = page.iter().flat_map(aliases).collect();
        let emails: Vec<&str> = emails.iter().map(WorkEmail::expose).collect();
        let claimed =
            roster::scan::store::find_claimed_accounts(&mut snapshot, &sharing, &ids, &emails)
                .await?;
        for account in page {
            let email = account.email.as_ref();
            if claimed.has_link(&account.id)
                || aliases(&account)
                    .iter()
                    .any(|email| claimed.has_email(&account.id, email))
            {
                continue;
            }
            found.add(Finding::ActiveWithoutEmployee(AccountWithoutEmployee {
                email: email.map(|email| email.expose().to_owned()),
                protected: account.is_protected || email.is_some_and(is_protected),
                tenant: account.id.tenant().map(str::to_owned),
                account_id: account.id,
            }));
        }
        snapshot.rollback().await?;
    }
}
