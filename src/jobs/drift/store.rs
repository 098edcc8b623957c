//! The table `leaver.drift`, and the snapshot that a page is compared in.

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection, Postgres, Transaction};

/// What the service's last comparison found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// When it began.
    pub at: DateTime<Utc>,
    /// Accounts that were on and should not have been, when it ended.
    pub terminated_with_access: i64,
    /// Accounts that it switched off again.
    pub fixed: i64,
}

/// A transaction in which everything is as of one moment, and nothing can be written.
///
/// # Errors
/// Whatever the database says.
pub async fn snapshot(conn: &mut PgConnection) -> Result<Transaction<'_, Postgres>, sqlx::Error> {
    conn.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        .await
}

/// The last comparison; `None` when there was none.
///
/// # Errors
/// Whatever the database says.
pub async fn last(conn: &mut PgConnection) -> Result<Option<Checked>, sqlx::Error> {
    sqlx::query_as!(
        Checked,
        "SELECT checked_at AS at, terminated_with_access, fixed FROM leaver.drift"
    )
    .fetch_optional(conn)
    .await
}

/// Writes down what a comparison found.
///
/// # Errors
/// Whatever the database says.
pub async fn note(conn: &mut PgConnection, checked: &Checked) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO leaver.drift (checked_at, terminated_with_access, fixed) VALUES ($1, $2, $3)
         ON CONFLICT ON CONSTRAINT drift_pkey DO UPDATE
         SET checked_at = excluded.checked_at, terminated_with_access = excluded.terminated_with_access,
             fixed = excluded.fixed",
        checked.at,
        checked.terminated_with_access,
        checked.fixed,
    )
    .execute(conn)
    .await?;
    Ok(())
}
