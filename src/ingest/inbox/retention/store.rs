//! Deletes old data of `leaver.deliveries`, oldest first.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Deletes the fingerprints of deliveries with event times that were settled before a moment, `limit` at most. Returns
/// how many. The same body is then stored again, and its facts are stale.
///
/// # Errors
/// Returns the database's error; nothing was written then.
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

/// Deletes settled deliveries from before a moment, and parked ones without a body, `limit` of each at most. Returns how
/// many. Keeps deliveries with event times until [`forget_fingerprints`] was applied to them.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub async fn forget_settled(
    conn: &mut PgConnection,
    settled_before: DateTime<Utc>,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    // Each part of the query has its own index.
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

/// Deletes the bodies of deliveries that were parked before a moment. Returns how many.
///
/// # Errors
/// Returns the database's error; nothing was written then.
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
