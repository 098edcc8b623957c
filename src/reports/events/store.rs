//! Reads the outbox.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{
    DestinationStatus, EventFilter, EventSummary, MAY_BE_LATE_BY, MAY_WAIT_FOR, MOST_COUNTED,
    Unconfigured,
};

/// Returns at most `limit` events, newest first, each once for each destination.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn list(
    conn: &mut PgConnection,
    filter: &EventFilter,
    configured: &[String],
    limit: i64,
) -> Result<Vec<EventSummary>, sqlx::Error> {
    sqlx::query_as!(
        EventSummary,
        r#"SELECT e.id, e.type AS kind, e.source, e.tenant, e.employee_id, e.sequence, e.occurred_at, a.destination,
                  a.destination = ANY($6) AS "is_configured!", a.state, a.attempts,
                  CASE WHEN a.finished_at IS NULL THEN COALESCE(a.leased_until, a.next_at) END AS next_at, a.finished_at,
                  a.last_status, a.last_error
           FROM leaver.outbox e JOIN leaver.outbox_attempts a ON a.event_id = e.id
           WHERE ($1::text IS NULL OR a.destination = $1) AND ($2::text IS NULL OR a.state = $2)
             AND ($3::text[] IS NULL OR e.type = ANY($3)) AND ($4::timestamptz IS NULL OR e.occurred_at >= $4)
           ORDER BY e.id DESC, a.destination LIMIT $5"#,
        filter.destination,
        filter.state,
        filter.types.as_deref() as Option<&[&str]>,
        filter.since,
        limit,
        configured,
    )
    .fetch_all(conn)
    .await
}

/// Returns the state of these destinations, in the order given. Reads at most [`MOST_COUNTED`] + 1 events of each that wait, the
/// oldest first, and as many dead ones: health is queried often.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn destinations(
    conn: &mut PgConnection,
    names: &[String],
    now: DateTime<Utc>,
) -> Result<Vec<DestinationStatus>, sqlx::Error> {
    sqlx::query_as!(
        DestinationStatus,
        r#"SELECT n.name AS "name!", d.paused_at AS "paused_at?", d.paused_because AS "paused_because?",
                  d.last_delivered_at AS "last_delivered_at?", d.last_failed_at AS "last_failed_at?",
                  d.last_error AS "last_error?",
                  waiting.pending AS "pending!", waiting.oldest_since, waiting.late AS "late!", dead.count AS "dead!"
           FROM unnest($1::text[]) WITH ORDINALITY AS n (name, position)
           LEFT JOIN leaver.destinations d ON d.name = n.name
           CROSS JOIN LATERAL (
               SELECT count(*) AS pending, min(oldest.since) AS oldest_since,
                      count(*) FILTER (WHERE oldest.since < $2 AND NOT (oldest.attempts = 0 AND oldest.next_at > $3)) AS late
               FROM (
                   SELECT a.since, a.attempts, a.next_at FROM leaver.outbox_attempts a
                   WHERE a.destination = n.name AND a.state IN ('due', 'leased') ORDER BY a.since LIMIT $4
               ) oldest
           ) waiting
           CROSS JOIN LATERAL (
               SELECT count(*) AS count FROM (
                   SELECT FROM leaver.outbox_attempts a WHERE a.destination = n.name AND a.state = 'dead' LIMIT $4
               ) listed
           ) dead
           ORDER BY n.position"#,
        names,
        now - MAY_WAIT_FOR,
        now - MAY_BE_LATE_BY,
        MOST_COUNTED + 1,
    )
    .fetch_all(conn)
    .await
}

/// Counts the events that wait for destinations other than these.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn unconfigured(
    conn: &mut PgConnection,
    configured: &[String],
) -> Result<Vec<Unconfigured>, sqlx::Error> {
    sqlx::query_as!(
        Unconfigured,
        r#"SELECT destination, count(*) AS "pending!" FROM leaver.outbox_attempts
           WHERE state IN ('due', 'leased') AND destination <> ALL($1) GROUP BY destination ORDER BY destination"#,
        configured,
    )
    .fetch_all(conn)
    .await
}

/// Returns whether an event was recorded for a destination.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn has_events(
    conn: &mut PgConnection,
    destination: &str,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM leaver.outbox_attempts WHERE destination = $1) AS "found!""#,
        destination,
    )
    .fetch_one(conn)
    .await
}
