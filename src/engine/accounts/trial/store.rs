//! Statements that are tried.

use sqlx::{AssertSqlSafe, PgConnection, Postgres, Transaction};

/// Begins a transaction that does not wait long for a lock of the application.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn begin(
    conn: &mut PgConnection,
) -> Result<Transaction<'_, Postgres>, sqlx::Error> {
    let mut tx = sqlx::Connection::begin(conn).await?;
    sqlx::query("SET LOCAL lock_timeout = '5s'")
        .execute(&mut *tx)
        .await?;
    Ok(tx)
}

/// Runs a statement that ends sessions of these ids. Returns the number of rows.
///
/// # Errors
/// Returns why Postgres rejects it.
pub(super) async fn run(
    conn: &mut PgConnection,
    statement: &str,
    ids: &[&str],
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(AssertSqlSafe(statement.to_owned()))
        .bind(ids)
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}
