//! Queries on the accounts table for the safeguard and for an undo.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, PgConnection, Row};

use crate::engine::accounts::AccountsTable;
use crate::engine::accounts::store::{about, read, read_id, texts};
use leaver_core::domain::{AccountId, Tenant};
use leaver_core::safeguard::{PerWindow, Window};

/// Returns the transactions that wrote the rows of accounts that this transaction has written. Empty where rows show none:
/// views, foreign tables, and roles that may not read `xmin`.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn last_writers(
    conn: &mut PgConnection,
    table: &AccountsTable,
    ids: &BTreeSet<AccountId>,
) -> Result<BTreeMap<AccountId, i64>, sqlx::Error> {
    if !table.relation.shows_writers {
        return Ok(BTreeMap::new());
    }
    let query = about(table, &table.statements.last_writers, ids);
    let rows = query.fetch_all(conn).await?;
    rows.iter()
        .map(|row| Ok((read_id(row, "tenant")?, row.try_get("writer")?)))
        .collect()
}

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
