//! The row of the write probe, and what its session waits for.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// Writes the row of this process, and deletes rows of others that are older than `oldest`. Meets the privileges and the locks
/// that a delivery meets. Returns after the commit.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn write(
    conn: &mut PgConnection,
    process: Uuid,
    now: DateTime<Utc>,
    oldest: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "WITH old AS (
             DELETE FROM leaver.write_probes WHERE process IN (
                 SELECT process FROM leaver.write_probes WHERE written_at < $3 AND process <> $1 FOR UPDATE SKIP LOCKED)
         ), no_delivery AS (
             INSERT INTO leaver.deliveries (id, source, digest, received_at, body_bytes, state, next_attempt_at)
             SELECT $1, '', '', $2, 0, 'ignored', $2 WHERE false
         )
         INSERT INTO leaver.write_probes (process, written_at) VALUES ($1, $2)
         ON CONFLICT (process) DO UPDATE SET written_at = EXCLUDED.written_at",
        process,
        now,
        oldest,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Returns the process id of the session.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn backend(conn: &mut PgConnection) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT pg_backend_pid() AS "pid!""#)
        .fetch_one(conn)
        .await
}

/// The event that a session waits for.
#[derive(Debug)]
pub(super) struct Wait {
    /// The class of the event; `None` if it waits for nothing, or belongs to another role.
    pub(super) class: Option<String>,
    /// The event.
    pub(super) event: Option<String>,
}

/// Returns what a session waits for; `None` if it has ended.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn wait_of(
    conn: &mut PgConnection,
    backend: i32,
) -> Result<Option<Wait>, sqlx::Error> {
    sqlx::query_as!(
        Wait,
        "SELECT wait_event_type AS class, wait_event AS event FROM pg_stat_activity WHERE pid = $1",
        backend,
    )
    .fetch_optional(conn)
    .await
}
