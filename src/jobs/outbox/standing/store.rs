//! The table `leaver.destinations`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Outlook, State};

/// Looks up when something can be sent to a destination, with one statement: a service at rest runs no other.
///
/// # Errors
/// Returns the database's error.
pub(in crate::jobs::outbox) async fn outlook(
    conn: &mut PgConnection,
    name: &str,
) -> Result<Outlook, sqlx::Error> {
    sqlx::query_as!(
        Outlook,
        r#"SELECT d.paused_at AS "paused_at?", d.probe_at AS "probe_at?", d.wait_until AS "wait_until?",
                  d.last_digest_at AS "last_digest_at?",
                  (SELECT a.next_at FROM leaver.outbox_attempts a
                   WHERE a.destination = $1 AND a.state IN ('due', 'leased') ORDER BY a.next_at LIMIT 1) AS first_due
           FROM (SELECT $1::text AS name) n LEFT JOIN leaver.destinations d ON d.name = n.name"#,
        name,
    )
    .fetch_one(conn)
    .await
}

/// Locks the state of a destination until the end of the transaction, and returns it. Inserts it if it is missing.
///
/// # Errors
/// Returns the database's error.
pub(in crate::jobs::outbox) async fn lock(
    conn: &mut PgConnection,
    name: &str,
) -> Result<State, sqlx::Error> {
    sqlx::query_as!(
        State,
        "INSERT INTO leaver.destinations AS d (name) VALUES ($1)
         ON CONFLICT ON CONSTRAINT destinations_pkey DO UPDATE SET name = d.name
         RETURNING failures, paused_at, paused_because, probe_at, probed_event, wait_until, last_delivered_at, last_failed_at,
                   last_status, last_error, last_digest_at",
        name,
    )
    .fetch_one(conn)
    .await
}

/// Saves the state of a destination.
///
/// # Errors
/// Returns the database's error.
pub(in crate::jobs::outbox) async fn save(
    conn: &mut PgConnection,
    name: &str,
    state: &State,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE leaver.destinations
         SET failures = $2, paused_at = $3, paused_because = $4, probe_at = $5, probed_event = $6, wait_until = $7,
             last_delivered_at = $8, last_failed_at = $9, last_status = $10, last_error = $11, last_digest_at = $12
         WHERE name = $1",
        name,
        state.failures,
        state.paused_at,
        state.paused_because,
        state.probe_at,
        state.probed_event,
        state.wait_until,
        state.last_delivered_at,
        state.last_failed_at,
        state.last_status,
        state.last_error,
        state.last_digest_at,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Takes the probe of a paused destination, if it is due: no other process makes it before `next_at`. Returns the event that
/// was last tried.
///
/// # Errors
/// Returns the database's error.
pub(in crate::jobs::outbox) async fn take_probe(
    conn: &mut PgConnection,
    name: &str,
    now: DateTime<Utc>,
    next_at: DateTime<Utc>,
) -> Result<Option<Option<Uuid>>, sqlx::Error> {
    sqlx::query_scalar!(
        "UPDATE leaver.destinations SET probe_at = $3
         WHERE name = $1 AND paused_at IS NOT NULL AND probe_at <= $2 RETURNING probed_event",
        name,
        now,
        next_at,
    )
    .fetch_optional(conn)
    .await
}

/// Makes all events due that wait for a later attempt. The attempt before its time does not count.
///
/// # Errors
/// Returns the database's error.
pub(in crate::jobs::outbox) async fn make_due(
    conn: &mut PgConnection,
    name: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE leaver.outbox_attempts SET next_at = $2, attempts = GREATEST(attempts - 1, 0)
         WHERE destination = $1 AND state = 'due' AND next_at > $2",
        name,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}
