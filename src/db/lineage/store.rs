//! The tables `leaver.lineage`, `leaver.lineage_marks` and `leaver.restores`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Cause, Found, MARKS_KEPT, NewestMark, Restore};

/// Loads what the database shows of itself, with the mark of this process. Returns `None` on a standby, which may be behind.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn find(
    conn: &mut PgConnection,
    process: Uuid,
) -> Result<Option<Found>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT l.database_id AS "database!", m.mark AS "mark?", newest.marked_at AS "newest_at?",
                  newest.timeline AS "newest_timeline?", pg_is_in_recovery() AS "in_recovery!"
           FROM leaver.lineage l
           LEFT JOIN leaver.lineage_marks m ON m.process = $1
           LEFT JOIN (SELECT marked_at, timeline FROM leaver.lineage_marks ORDER BY marked_at DESC LIMIT 1) newest ON true"#,
        process,
    )
    .fetch_one(&mut *conn)
    .await?;
    if row.in_recovery {
        return Ok(None);
    }
    Ok(Some(Found {
        database: row.database,
        mark: row.mark,
        timeline: timeline(conn).await?,
        newest: row.newest_at.map(|at| NewestMark {
            at,
            timeline: row.newest_timeline,
        }),
    }))
}

/// Returns the timeline, from the name of the current WAL file. Returns `None` where a managed server refuses it.
async fn timeline(conn: &mut PgConnection) -> Result<Option<i32>, sqlx::Error> {
    let found: Result<Option<i32>, sqlx::Error> = sqlx::query_scalar(
        "SELECT ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::integer",
    )
    .fetch_one(conn)
    .await;
    match found {
        Err(sqlx::Error::Database(_)) => Ok(None),
        found => found,
    }
}

/// Returns those of these deliveries that are not stored.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn missing(
    conn: &mut PgConnection,
    ids: &[Uuid],
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT id AS "id!" FROM unnest($1::uuid[]) AS known (id)
           WHERE NOT EXISTS (SELECT FROM leaver.deliveries d WHERE d.id = known.id)"#,
        ids,
    )
    .fetch_all(conn)
    .await
}

/// Raises the mark of a process and returns it.
///
/// # Errors
/// Returns the database's error; the mark may be raised or not then.
pub(crate) async fn mark(
    conn: &mut PgConnection,
    process: Uuid,
    timeline: Option<i32>,
    now: DateTime<Utc>,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        "INSERT INTO leaver.lineage_marks AS m (process, mark, marked_at, timeline) VALUES ($1, 1, $2, $3)
         ON CONFLICT (process) DO UPDATE SET mark = m.mark + 1, marked_at = $2, timeline = $3
         RETURNING mark",
        process,
        now,
        timeline,
    )
    .fetch_one(conn)
    .await
}

/// Deletes the marks of processes that ended long ago.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn delete_old_marks(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "DELETE FROM leaver.lineage_marks WHERE marked_at < $1",
        now - MARKS_KEPT
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Records that the database went back. Another process may have recorded the same before: a restore that covers
/// `known_until` stays as it is, and an open one is extended. Returns whether it was recorded.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn record(
    conn: &mut PgConnection,
    cause: Cause,
    known_until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let recorded = sqlx::query!(
        "INSERT INTO leaver.restores AS r (found_at, known_until, cause)
         SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT FROM leaver.restores WHERE known_until >= $2)
         ON CONFLICT ((acknowledged_at IS NULL)) WHERE acknowledged_at IS NULL
         DO UPDATE SET known_until = GREATEST(r.known_until, excluded.known_until)",
        now,
        known_until,
        cause.as_str(),
    )
    .execute(conn)
    .await?;
    Ok(recorded.rows_affected() > 0)
}

/// Returns the restore that is not acknowledged.
///
/// # Errors
/// Returns the database's error.
pub async fn find_open(conn: &mut PgConnection) -> Result<Option<Restore>, sqlx::Error> {
    sqlx::query_as!(
        Restore,
        "SELECT id, found_at, known_until, cause, acknowledged_at, acknowledged_by FROM leaver.restores
         WHERE acknowledged_at IS NULL"
    )
    .fetch_optional(conn)
    .await
}

/// Returns all restores, newest first.
///
/// # Errors
/// Returns the database's error.
pub async fn list(conn: &mut PgConnection) -> Result<Vec<Restore>, sqlx::Error> {
    sqlx::query_as!(
        Restore,
        "SELECT id, found_at, known_until, cause, acknowledged_at, acknowledged_by FROM leaver.restores
         ORDER BY id DESC"
    )
    .fetch_all(conn)
    .await
}

/// Acknowledges a restore. Returns false if there is no open one with this id.
///
/// # Errors
/// Returns the database's error.
pub async fn acknowledge(
    conn: &mut PgConnection,
    id: i64,
    by: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE leaver.restores SET acknowledged_at = $2, acknowledged_by = $3
         WHERE id = $1 AND acknowledged_at IS NULL",
        id,
        now,
        by,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}
