//! Counts and searches with time limits, in transactions that are rolled back.

use std::time::{Duration, Instant};

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres, Row, Transaction};

use super::{RowCounts, SharedEmails};
use crate::engine::accounts::AccountsTable;
use crate::engine::accounts::store::{active_after, find_by_email, read};
use leaver_core::domain::{Tenant, WorkEmail};

/// Begins a read-only transaction whose statements have a time limit. They wait for no lock of the application for long.
async fn begin(
    conn: &mut PgConnection,
    limit: Duration,
) -> Result<Transaction<'_, Postgres>, sqlx::Error> {
    let mut tx = conn.begin_with("BEGIN READ ONLY").await?;
    // More memory, for this transaction only: a count by address otherwise writes files.
    sqlx::query!(
        "SELECT set_config('statement_timeout', $1, true) AS statement, set_config('lock_timeout', '1s', true) AS lock,
                set_config('work_mem', '64MB', true) AS memory",
        limit.as_millis().max(1).to_string(),
    )
    .fetch_one(&mut *tx)
    .await?;
    Ok(tx)
}

/// Returns the result, or `None` if it took too long.
fn in_time<T>(result: Result<T, sqlx::Error>) -> Result<Option<T>, sqlx::Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) => {
            let code = error
                .as_database_error()
                .and_then(sqlx::error::DatabaseError::code);
            match code.as_deref() {
                Some("57014" | "55P03") => Ok(None),
                _ => Err(error),
            }
        }
    }
}

/// Returns the rows of the table by the statistics of Postgres. `None` for a view, a foreign table, or without statistics.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn estimated_rows(
    conn: &mut PgConnection,
    table: &AccountsTable,
) -> Result<Option<u64>, sqlx::Error> {
    let rows = sqlx::query_scalar!(
        r#"SELECT CASE WHEN bool_and(part.reltuples > 0 OR pg_relation_size(part.oid) = 0)
                       THEN sum(GREATEST(part.reltuples, 0))::bigint END
           FROM pg_class c
           JOIN pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_class part ON part.oid = c.oid OR part.oid IN (SELECT relid FROM pg_partition_tree(c.oid))
           WHERE n.nspname::text = $1 AND c.relname::text = $2 AND part.relkind = 'r'"#,
        table.schema,
        table.bare_name,
    )
    .fetch_one(conn)
    .await?;
    Ok(rows.and_then(|rows| u64::try_from(rows).ok()))
}

/// Counts the rows. `None` if it takes longer than the limit.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn count_rows(
    conn: &mut PgConnection,
    table: &AccountsTable,
    limit: Duration,
) -> Result<Option<RowCounts>, sqlx::Error> {
    let mut tx = begin(conn, limit).await?;
    let query = sqlx::query(AssertSqlSafe(table.statements.count_rows.clone()));
    let rows = in_time(read(&mut tx, table, query).await)?;
    tx.rollback().await?;
    rows.map(|rows| row_counts(&rows)).transpose()
}

/// Counts the rows of a percentage of the pages. `None` if it takes longer than the limit.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn sample_rows(
    conn: &mut PgConnection,
    table: &AccountsTable,
    percentage: f32,
    limit: Duration,
) -> Result<Option<RowCounts>, sqlx::Error> {
    let mut tx = begin(conn, limit).await?;
    let query = sqlx::query(AssertSqlSafe(table.statements.sample_rows.clone())).bind(percentage);
    let rows = in_time(read(&mut tx, table, query).await)?;
    tx.rollback().await?;
    rows.map(|rows| row_counts(&rows)).transpose()
}

/// Counts addresses of several accounts. `None` if it takes longer than the limit.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn count_shared_emails(
    conn: &mut PgConnection,
    table: &AccountsTable,
    limit: Duration,
) -> Result<Option<SharedEmails>, sqlx::Error> {
    let mut tx = begin(conn, limit).await?;
    let query = sqlx::query(AssertSqlSafe(table.statements.count_shared_emails.clone()));
    let rows = in_time(read(&mut tx, table, query).await)?;
    tx.rollback().await?;
    let counts = |rows: Vec<PgRow>| {
        let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        Ok(SharedEmails {
            emails: number(row, "emails")?,
            accounts: number(row, "accounts")?,
        })
    };
    rows.map(counts).transpose()
}

/// Measures one look-up by e-mail. `None` if it takes longer than the limit.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn time_of_lookup(
    conn: &mut PgConnection,
    table: &AccountsTable,
    wanted: &[(WorkEmail, Tenant)],
    limit: Duration,
) -> Result<Option<Duration>, sqlx::Error> {
    let mut tx = begin(conn, limit).await?;
    let began = Instant::now();
    let found = in_time(find_by_email(&mut tx, table, wanted).await)?;
    let took = began.elapsed();
    tx.rollback().await?;
    Ok(found.map(|_| took))
}

/// Measures the first page of active accounts with the look-up of their addresses, and counts them. `None` if either takes
/// longer than the limit.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn time_of_page(
    conn: &mut PgConnection,
    table: &AccountsTable,
    size: i64,
    limit: Duration,
) -> Result<Option<(Duration, usize)>, sqlx::Error> {
    let mut tx = begin(conn, limit).await?;
    let began = Instant::now();
    let read = async {
        let page = active_after(&mut tx, table, None, size).await?;
        let wanted: Vec<(WorkEmail, Tenant)> = page
            .iter()
            .filter_map(|account| {
                let tenant = Tenant::new(account.id.tenant().unwrap_or_default());
                Some((account.email.clone()?, tenant))
            })
            .collect();
        find_by_email(&mut tx, table, &wanted).await?;
        Ok(page.len())
    };
    let read = in_time(read.await)?;
    let took = began.elapsed();
    tx.rollback().await?;
    Ok(read.map(|accounts| (took, accounts)))
}

fn row_counts(rows: &[PgRow]) -> Result<RowCounts, sqlx::Error> {
    let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    Ok(RowCounts {
        visible: number(row, "visible")?,
        accounts: number(row, "accounts")?,
        active: number(row, "active")?,
        is_estimated: false,
    })
}

fn number(row: &PgRow, column: &str) -> Result<u64, sqlx::Error> {
    let count: i64 = row.try_get(column)?;
    Ok(u64::try_from(count).unwrap_or_default())
}
