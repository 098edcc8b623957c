//! Statements that are tried.

use sqlx::{AssertSqlSafe, PgConnection, Postgres, Transaction};

use crate::engine::accounts::{AccountsTable, uses_tenant};
use leaver_core::domain::AccountId;

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

/// Runs a statement that ends sessions, of an account or of none. Returns the number of rows.
///
/// # Errors
/// Returns why Postgres rejects it.
pub(super) async fn run(
    conn: &mut PgConnection,
    table: &AccountsTable,
    statement: &str,
    account: Option<&AccountId>,
) -> Result<u64, sqlx::Error> {
    let mut query = sqlx::query(AssertSqlSafe(statement.to_owned()))
        .bind(Vec::from_iter(account.map(AccountId::as_str)));
    if table.has_tenants && uses_tenant(statement) {
        query = query.bind(account.and_then(AccountId::tenant));
    }
    Ok(query.execute(conn).await?.rows_affected())
}
