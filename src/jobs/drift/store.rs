//! The table `leaver.drift`, and the snapshot in which a page is compared.

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection, Postgres, Transaction};

/// The result of the service's last comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastCheck {
    /// When it began.
    pub at: DateTime<Utc>,
    /// Terminated employees with an active account when it ended.
    pub terminated_with_access: i64,
    /// Accounts that it deactivated.
    pub fixed: i64,
    /// Hashes of those employees, sorted, as far as they are kept.
    pub known: Vec<i64>,
    /// When an event was last recorded.
    pub reported_at: Option<DateTime<Utc>>,
}

/// Begins a read-only transaction that sees the database as of one moment.
///
/// # Errors
/// Returns the database's error.
pub async fn snapshot(conn: &mut PgConnection) -> Result<Transaction<'_, Postgres>, sqlx::Error> {
    conn.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        .await
}

/// Loads the last comparison, if there was one.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn find_last_check(
    conn: &mut PgConnection,
) -> Result<Option<LastCheck>, sqlx::Error> {
    sqlx::query_as!(
        LastCheck,
        "SELECT checked_at AS at, terminated_with_access, fixed, known, reported_at FROM leaver.drift"
    )
    .fetch_optional(conn)
    .await
}

/// Stores the result of a comparison.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub(crate) async fn save_last_check(
    conn: &mut PgConnection,
    checked: &LastCheck,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO leaver.drift (checked_at, terminated_with_access, fixed, known, reported_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT ON CONSTRAINT drift_pkey DO UPDATE
         SET checked_at = excluded.checked_at, terminated_with_access = excluded.terminated_with_access,
             fixed = excluded.fixed, known = excluded.known, reported_at = excluded.reported_at",
        checked.at,
        checked.terminated_with_access,
        checked.fixed,
        &checked.known,
        checked.reported_at,
    )
    .execute(conn)
    .await?;
    Ok(())
}
