//! Protection by e-mail (`accounts.protected`): an account that had a listed address stays protected when the address changes.

pub(crate) mod store;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::AccountsTable;
use leaver_core::domain::{Account, Tenant, WorkEmail};

/// Protection by e-mail.
#[derive(Clone, Debug, Default)]
pub(crate) struct Protection {
    /// The listed addresses, with the present name of a renamed domain.
    pub(crate) emails: BTreeSet<WorkEmail>,
    /// True if Leaver's own tables exist, so that protected accounts can be remembered.
    pub(crate) is_remembered: bool,
}

/// Finds the accounts that have a listed address now, and remembers them. Forgets those whose entry was removed.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn remember_all(
    conn: &mut PgConnection,
    table: &AccountsTable,
    tenants: &BTreeSet<Tenant>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if !table.protection.is_remembered {
        return Ok(());
    }
    store::forget_others(conn, table).await?;
    // Without a tenant column an address has the same accounts in each tenant.
    let tenants = tenants
        .iter()
        .take(if table.has_tenants { usize::MAX } else { 1 });
    let wanted: Vec<(WorkEmail, Tenant)> = tenants
        .flat_map(|tenant| {
            let emails = table.protection.emails.iter();
            emails.map(|email| (email.clone(), tenant.clone()))
        })
        .collect();
    let found = super::store::find_by_email(conn, table, &wanted).await?;
    let found: Vec<Account> = found.into_iter().flatten().collect();
    store::remember(conn, table, found.iter(), now).await
}
