//! Deletes from the tables of the outbox.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// Removes the personal values of these events, unless one of these destinations still needs them.
///
/// # Errors
/// Returns the database's error.
pub(in crate::jobs::outbox) async fn clear_details_of(
    conn: &mut PgConnection,
    events: &[Uuid],
    receivers: &[String],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE leaver.outbox SET details = NULL
         WHERE id IN (SELECT e.id FROM leaver.outbox e
                      WHERE e.id = ANY($1) AND e.details IS NOT NULL
                        AND NOT EXISTS (SELECT FROM leaver.outbox_attempts a
                                        WHERE a.event_id = e.id AND a.destination = ANY($2) AND a.state IN ('due', 'leased'))
                      ORDER BY e.id FOR UPDATE)",
        events,
        receivers,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Does the same for all events, and returns the number of those that it changed.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn clear_details(
    conn: &mut PgConnection,
    receivers: &[String],
    limit: i64,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE leaver.outbox SET details = NULL
         WHERE id IN (SELECT e.id FROM leaver.outbox e
                      WHERE e.details IS NOT NULL
                        AND NOT EXISTS (SELECT FROM leaver.outbox_attempts a
                                        WHERE a.event_id = e.id AND a.destination = ANY($1) AND a.state IN ('due', 'leased'))
                      ORDER BY e.id LIMIT $2 FOR UPDATE SKIP LOCKED)",
        receivers,
        limit,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Deletes events that no configured destination waits for, if they happened before a time and their last attempt ended before
/// it. Returns their number.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn delete_before(
    conn: &mut PgConnection,
    configured: &[String],
    before: DateTime<Utc>,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "DELETE FROM leaver.outbox
         WHERE id IN (SELECT e.id FROM leaver.outbox e
                      WHERE e.occurred_at < $2
                        AND NOT EXISTS (SELECT FROM leaver.outbox_attempts a
                                        WHERE a.event_id = e.id
                                          AND (a.finished_at >= $2
                                               OR (a.state IN ('due', 'leased') AND (a.destination = ANY($1) OR a.since >= $2))))
                      ORDER BY e.occurred_at LIMIT $3 FOR UPDATE SKIP LOCKED)",
        configured,
        before,
        limit,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Deletes the states of destinations that are not configured any more and were last used before a time.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn delete_destinations(
    conn: &mut PgConnection,
    configured: &[String],
    before: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "DELETE FROM leaver.destinations
         WHERE name <> ALL($1) AND COALESCE(GREATEST(last_delivered_at, last_failed_at), '-infinity') < $2",
        configured,
        before,
    )
    .execute(conn)
    .await
    .map(drop)
}
