//! Forgets rows of `leaver.deliveries`, oldest first.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Forgets the fingerprints of deliveries that were settled before a moment and bear their own times: the same body is
/// new then, and says nothing new. So many at most, oldest first. Says how many.
///
/// # Errors
/// Whatever the database says.
pub async fn forget_fingerprints(
    conn: &mut PgConnection,
    settled_before: DateTime<Utc>,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "WITH known AS (
             SELECT id FROM leaver.deliveries
             WHERE state IN ('processed', 'ignored') AND self_timed AND fingerprint IS NOT NULL AND settled_at < $1
             ORDER BY settled_at LIMIT $2 FOR UPDATE SKIP LOCKED
         )
         UPDATE leaver.deliveries SET fingerprint = NULL WHERE id IN (SELECT id FROM known)",
        settled_before,
        limit,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Forgets deliveries that were settled before a moment and whose [fingerprint](forget_fingerprints) is forgotten or must
/// not be before, and parked ones of which nothing is left to replay: so many at most, oldest first. Says how many.
///
/// # Errors
/// Whatever the database says.
pub async fn forget_settled(
    conn: &mut PgConnection,
    settled_before: DateTime<Utc>,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    // Each part has an index of its own.
    let done = sqlx::query!(
        "WITH done AS (
             SELECT id FROM leaver.deliveries
             WHERE state IN ('processed', 'ignored') AND settled_at < $1
               AND NOT (self_timed AND fingerprint IS NOT NULL)
             ORDER BY settled_at LIMIT $2 FOR UPDATE SKIP LOCKED
         ), spent AS (
             SELECT id FROM leaver.deliveries
             WHERE state = 'parked' AND settled_at < $1 AND body IS NULL
             ORDER BY settled_at LIMIT $2 FOR UPDATE SKIP LOCKED
         )
         DELETE FROM leaver.deliveries
         WHERE id IN (SELECT id FROM done UNION ALL SELECT id FROM spent)",
        settled_before,
        limit,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Drops the bodies of deliveries that were parked before a moment.
///
/// # Errors
/// Whatever the database says.
pub async fn forget_parked_bodies(
    conn: &mut PgConnection,
    parked_before: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE leaver.deliveries SET body = NULL
         WHERE state = 'parked' AND settled_at < $1 AND body IS NOT NULL",
        parked_before,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
