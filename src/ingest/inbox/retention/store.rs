//! Forgets rows of `leaver.deliveries`, oldest first.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Forgets the fingerprints of deliveries that were processed before a moment and bear their own times: the same body is
/// new then, and says nothing new. So many at most, oldest first. Says how many.
///
/// # Errors
/// Whatever the database says.
pub async fn forget_fingerprints(
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

/// Forgets deliveries that were processed before a moment and whose [fingerprint](forget_fingerprints) is forgotten or must
/// not be before, and failed ones without a body: `limit` at most, oldest first. Returns
/// how many.
///
/// # Errors
/// Whatever the database says.
pub async fn forget_settled(
    conn: &mut PgConnection,
    processed_before: DateTime<Utc>,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    // Each part has an index of its own.
    let done = sqlx::query!(
        "WITH done AS (
             SELECT id FROM leaver.deliveries
             WHERE state IN ('processed', 'ignored') AND processed_at < $1
               AND NOT (has_event_times AND fingerprint IS NOT NULL)
             ORDER BY processed_at LIMIT $2 FOR UPDATE SKIP LOCKED
         ), spent AS (
             SELECT id FROM leaver.deliveries
             WHERE state = 'failed' AND processed_at < $1 AND body IS NULL
             ORDER BY processed_at LIMIT $2 FOR UPDATE SKIP LOCKED
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

/// Deletes the bodies of deliveries that failed before a moment.
///
/// # Errors
/// Whatever the database says.
pub async fn forget_failed_bodies(
    conn: &mut PgConnection,
    failed_before: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE leaver.deliveries SET body = NULL
         WHERE state = 'failed' AND processed_at < $1 AND body IS NOT NULL",
        failed_before,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
