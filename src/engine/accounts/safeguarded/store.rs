//! Queries on the accounts table for the safeguard.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, PgConnection, Row};

use crate::engine::accounts::AccountsTable;
use crate::engine::accounts::store::{read, texts};
use leaver_core::domain::{AccountId, Tenant};
use leaver_core::safeguard::{PerWindow, Window};

/// Counts the accounts of a tenant of which the limits of the safeguard are a percentage: active and linked, or ended within
/// the window, or among `wanted`.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn population(
    conn: &mut PgConnection,
    table: &AccountsTable,
    tenant: &Tenant,
    wanted: &BTreeSet<AccountId>,
    now: DateTime<Utc>,
) -> Result<PerWindow, sqlx::Error> {
    let query = sqlx::query(AssertSqlSafe(table.statements.population.clone()))
        .bind(tenant.as_str())
        .bind(texts(wanted))
        .bind(now - Window::Hour.length())
        .bind(now - Window::Day.length());
    let rows = read(conn, table, query).await?;
    let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    let number = |column| {
        let count: i64 = row.try_get(column)?;
        Ok::<u64, sqlx::Error>(u64::try_from(count).unwrap_or_default())
    };
    Ok(PerWindow {
        hour: number("hour")?,
        day: number("day")?,
    })
}
