//! Deletes old data of `leaver.deliveries`, oldest first.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Deletes the fingerprints of deliveries with event times that were settled before a moment, `limit` at most. Returns
/// how many. The same body is then stored again, and its facts are stale.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub(crate) async fn forget_fingerprints(
    conn: &mut PgConnection,
    processed_before: DateTime<Utc>,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "WITH known AS (
             SELECT id FROM leaver.deliveries
             WHERE state IN ('processed', 'ignored') AND has_event_times AND fingerprint IS NOT NULL AND processed_at < $1
             ORDER BY processed_at LIMIT $2 FOR UPDATE SKIP LOCKED
         )
         UPDATE leaver.deliveries SET fingerprint = NULL WHERE id IN (SELECT id FROM known)",
        processed_before,
        limit,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Deletes settled deliveries without a body from before a moment, `limit` of the failed and of the others at most. Returns how
/// many. Keeps deliveries with event times until [`forget_fingerprints`] was applied to them.
///
/// A body without event times and without a signed time is ordered by its arrival alone. Stored again, an old one would pass
/// for the newest, so such a delivery is never deleted, and its body stays a duplicate. A failed one becomes ignored: there is
/// nothing left to replay.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub(crate) async fn forget_settled(
    conn: &mut PgConnection,
    processed_before: DateTime<Utc>,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    // Each part of the query has its own index.
    let done = sqlx::query!(
        "WITH done AS (
             SELECT id FROM leaver.deliveries
             WHERE state IN ('processed', 'ignored') AND processed_at < $1 AND body IS NULL
               AND NOT (has_event_times AND fingerprint IS NOT NULL)
               AND (has_event_times OR signed_at IS NOT NULL)
             ORDER BY processed_at LIMIT $2 FOR UPDATE SKIP LOCKED
         ), spent AS (
             SELECT id FROM leaver.deliveries
             WHERE state = 'failed' AND processed_at < $1 AND body IS NULL AND (has_event_times OR signed_at IS NOT NULL)
             ORDER BY processed_at LIMIT $2 FOR UPDATE SKIP LOCKED
         ), untimed AS (
             SELECT id FROM leaver.deliveries
             WHERE state = 'failed' AND processed_at < $1 AND body IS NULL AND NOT has_event_times AND signed_at IS NULL
             ORDER BY processed_at LIMIT $2 FOR UPDATE SKIP LOCKED
         ), kept AS (
             UPDATE leaver.deliveries SET state = 'ignored' WHERE id IN (SELECT id FROM untimed)
         )
         DELETE FROM leaver.deliveries
         WHERE id IN (SELECT id FROM done UNION ALL SELECT id FROM spent)",
        processed_before,
        limit,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Deletes the bodies of deliveries that failed before a moment, or were processed except for some entries. Returns how
/// many.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub(crate) async fn forget_failed_bodies(
    conn: &mut PgConnection,
    failed_before: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE leaver.deliveries SET body = NULL
         WHERE (state = 'failed' AND processed_at < $1 AND body IS NOT NULL)
            OR (state = 'processed' AND processed_at < $1 AND body IS NOT NULL)",
        failed_before,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
