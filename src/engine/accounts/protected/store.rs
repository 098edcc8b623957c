//! The table `leaver.protected_accounts`.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::engine::accounts::AccountsTable;
use leaver_core::domain::{Account, AccountId, Tenant, WorkEmail};

/// Remembers those of these accounts that have a listed address. If there are none, it runs no statement.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn remember<'a>(
    conn: &mut PgConnection,
    table: &AccountsTable,
    accounts: impl IntoIterator<Item = &'a Account>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let (mut tenants, mut ids, mut entries) = (vec![], vec![], vec![]);
    for account in accounts {
        if let Some(email) = &account.email
            && table.protection.is_remembered
            && table.protection.emails.contains(email)
        {
            tenants.push(account.id.tenant().unwrap_or_default().to_owned());
            ids.push(account.id.to_string());
            entries.push(email.expose().to_owned());
        }
    }
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO leaver.protected_accounts (tenant, account_id, entry, remembered_at)
         SELECT DISTINCT tenant, account_id, entry, $4::timestamptz
         FROM unnest($1::text[], $2::text[], $3::text[]) AS a (tenant, account_id, entry)
         ON CONFLICT DO NOTHING",
        &tenants,
        &ids,
        &entries,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes the accounts whose entry is not listed any more.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn forget_others(
    conn: &mut PgConnection,
    table: &AccountsTable,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "DELETE FROM leaver.protected_accounts WHERE entry <> ALL ($1)",
        &entries(table),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Marks those of these accounts as protected that had a listed address before. Without such an entry it runs no statement.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn mark(
    conn: &mut PgConnection,
    table: &AccountsTable,
    accounts: &mut [Account],
) -> Result<(), sqlx::Error> {
    if accounts.is_empty() || !table.protection.is_remembered || table.protection.emails.is_empty()
    {
        return Ok(());
    }
    let ids: Vec<&str> = accounts.iter().map(|account| account.id.as_str()).collect();
    let rows = sqlx::query!(
        "SELECT tenant, account_id FROM leaver.protected_accounts WHERE account_id = ANY($1) AND entry = ANY($2)",
        &ids as &[&str],
        &entries(table),
    )
    .fetch_all(conn)
    .await?;
    let remembered: HashSet<(String, String)> = rows
        .into_iter()
        .map(|row| (row.tenant, row.account_id))
        .collect();
    for account in accounts {
        let tenant = account.id.tenant().unwrap_or_default().to_owned();
        account.is_protected |= remembered.contains(&(tenant, account.id.to_string()));
    }
    Ok(())
}

/// Returns the accounts that had this listed address before, or have it.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn accounts_of(
    conn: &mut PgConnection,
    table: &AccountsTable,
    email: &WorkEmail,
) -> Result<Vec<AccountId>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT tenant, account_id FROM leaver.protected_accounts WHERE entry = $1",
        email.expose(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| table.account_in(AccountId::new(row.account_id), &Tenant::new(row.tenant)))
        .collect())
}

fn entries(table: &AccountsTable) -> Vec<String> {
    let emails = table.protection.emails.iter().map(WorkEmail::expose);
    emails.map(str::to_owned).collect()
}
