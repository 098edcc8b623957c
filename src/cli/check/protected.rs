//! Looks for the accounts that `accounts.protected` names.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use super::super::output;
use super::{CheckReport, CheckStatus};
use crate::config::Settings;
use crate::engine::accounts::{AccountsTable, protected, store};
use crate::engine::holds::resolve::find_tolerantly;
use crate::service;
use leaver_core::domain::{Account, AccountId, Tenant, WorkEmail};

const CHECK: &str = "accounts.protected";

/// Adds a line for each entry that no account has, and one for the others. Addresses are looked up once the schema exists.
pub(super) async fn check_protected(
    report: &mut CheckReport,
    conn: &mut PgConnection,
    settings: &Settings,
    table: &AccountsTable,
) -> Result<(), sqlx::Error> {
    let entries = &settings.accounts.protected;
    if entries.is_empty() {
        return Ok(());
    }
    if !table.protection.is_remembered {
        let message =
            "not looked up, since migrations are pending; run `leaver migrate`, then check again";
        report.add(CheckStatus::Warning, CHECK, message);
        return Ok(());
    }
    let tenants = service::policies(settings).tenants();
    let mut accounts = BTreeSet::new();
    let mut found = 0;
    for (position, entry) in entries.iter().enumerate() {
        let named = accounts_of(conn, table, &tenants, entry).await?;
        if named.is_empty() {
            report.add(
                CheckStatus::Warning,
                &format!("{CHECK}[{position}]"),
                format!(
                    "no account has the id or the e-mail \"{entry}\", so it protects nobody; correct or remove it"
                ),
            );
        } else {
            found += 1;
            accounts.extend(named);
        }
    }
    if found > 0 {
        let (all, accounts) = (entries.len(), output::count(accounts.len(), "account"));
        let message = format!("{found} of {all} entries protect {accounts}");
        report.add(CheckStatus::Ok, CHECK, message);
    }
    Ok(())
}

/// Returns the accounts with an id or an e-mail, and those that had this e-mail before.
async fn accounts_of(
    conn: &mut PgConnection,
    table: &AccountsTable,
    tenants: &BTreeSet<Tenant>,
    entry: &str,
) -> Result<BTreeSet<AccountId>, sqlx::Error> {
    let ids = BTreeSet::from([AccountId::new(entry)]);
    let mut found: BTreeSet<AccountId> = find_tolerantly(conn, table, &ids, None)
        .await?
        .into_keys()
        .collect();
    if let Some(email) = WorkEmail::parse(entry) {
        let wanted: Vec<(WorkEmail, Tenant)> = tenants
            .iter()
            .map(|tenant| (email.clone(), tenant.clone()))
            .collect();
        let accounts = store::find_by_email(conn, table, &wanted).await?;
        let email = table.email_domains.present(&email);
        found.extend(protected::store::accounts_of(conn, table, &email).await?);
        found.extend(
            accounts
                .into_iter()
                .flatten()
                .map(|account: Account| account.id),
        );
    }
    Ok(found)
}
