//! Claims attempts of one destination and settles them. What the destination stands at is in [`super::standing`].

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::PgConnection;
use uuid::Uuid;

use super::settle::Settled;
use leaver_core::events::Event;

/// An event that this process leased for a destination.
#[derive(Clone, Debug)]
pub(super) struct Claimed {
    /// The event. Personal values are left out unless the destination receives them.
    pub(super) event: Event,
    /// Failed attempts so far.
    pub(super) attempts: i32,
}

/// Which attempts to claim, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClaimLimit<'a> {
    /// The destination.
    pub(super) destination: &'a str,
    /// Events, at most.
    pub(super) events: i64,
    /// True if an event of an employee waits for the earlier ones.
    pub(super) is_ordered: bool,
    /// True if it receives personal values.
    pub(super) has_details: bool,
    /// End of the lease.
    pub(super) leased_until: DateTime<Utc>,
}

struct Row {
    id: Uuid,
    kind: String,
    source: Option<String>,
    tenant: Option<String>,
    employee_id: Option<String>,
    sequence: Option<i64>,
    occurred_at: DateTime<Utc>,
    shadow: bool,
    data: Value,
    details: Option<Value>,
    attempts: i32,
}

impl From<Row> for Claimed {
    fn from(row: Row) -> Self {
        let event = Event {
            id: row.id,
            kind: row.kind,
            timestamp: row.occurred_at,
            source: row.source,
            tenant: row.tenant,
            employee_id: row.employee_id,
            sequence: row.sequence,
            shadow: row.shadow,
            data: object(row.data).unwrap_or_default(),
            details: row.details.and_then(object),
        };
        Self {
            event,
            attempts: row.attempts,
        }
    }
}

fn object(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(map) => Some(map),
        _ => None,
    }
}

/// Claims events that are due, those that wait longest first. A lease that ran out counts as due.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn claim(
    conn: &mut PgConnection,
    limit: ClaimLimit<'_>,
    now: DateTime<Utc>,
) -> Result<Vec<Claimed>, sqlx::Error> {
    // Scalar subqueries: one look-up per candidate, whatever the statistics are.
    let rows = sqlx::query_as!(
        Row,
        r#"WITH picked AS (
               SELECT a.event_id FROM leaver.outbox_attempts a JOIN leaver.outbox e ON e.id = a.event_id
               WHERE a.destination = $1 AND a.state IN ('due', 'leased') AND a.next_at <= $2
                 AND (a.leased_until IS NULL OR a.leased_until <= $2)
                 AND (NOT $5 OR e.employee_id IS NULL OR (
                     SELECT true FROM leaver.outbox p
                     WHERE (p.source, p.tenant, p.employee_id) = (e.source, e.tenant, e.employee_id) AND p.sequence < e.sequence
                       AND (SELECT x.state FROM leaver.outbox_attempts x WHERE x.event_id = p.id AND x.destination = $1)
                           IN ('due', 'leased')
                     LIMIT 1) IS NULL)
               ORDER BY a.next_at, a.event_id LIMIT $4 FOR UPDATE OF a SKIP LOCKED
           ), leased AS (
               UPDATE leaver.outbox_attempts a SET state = 'leased', leased_until = $3 FROM picked p
               WHERE a.event_id = p.event_id AND a.destination = $1
               RETURNING a.event_id, a.attempts
           )
           SELECT e.id, e.type AS kind, e.source, e.tenant, e.employee_id, e.sequence, e.occurred_at, e.shadow, e.data,
                  CASE WHEN $6 THEN e.details END AS details, l.attempts AS "attempts!"
           FROM leased l JOIN leaver.outbox e ON e.id = l.event_id ORDER BY e.id"#,
        limit.destination,
        now,
        limit.leased_until,
        limit.events,
        limit.is_ordered,
        limit.has_details,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Claimed::from).collect())
}

/// Events that a probe looks at. The oldest one waits for no other.
const PROBE_CANDIDATES: i64 = 200;

/// Claims events of a paused destination, due or not: the oldest after this event.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn claim_probe(
    conn: &mut PgConnection,
    limit: ClaimLimit<'_>,
    after: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<Vec<Claimed>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"WITH candidate AS (
               SELECT event_id FROM leaver.outbox_attempts
               WHERE destination = $1 AND state IN ('due', 'leased') AND (leased_until IS NULL OR leased_until <= $2)
                 AND ($7::uuid IS NULL OR event_id > $7)
               ORDER BY event_id LIMIT GREATEST($4::bigint, $8::bigint)
           ), picked AS (
               SELECT a.event_id FROM candidate c
               JOIN leaver.outbox_attempts a ON a.event_id = c.event_id AND a.destination = $1
               JOIN leaver.outbox e ON e.id = a.event_id
               WHERE a.state IN ('due', 'leased') AND (a.leased_until IS NULL OR a.leased_until <= $2)
                 AND (NOT $5 OR e.employee_id IS NULL OR (
                     SELECT true FROM leaver.outbox p
                     WHERE (p.source, p.tenant, p.employee_id) = (e.source, e.tenant, e.employee_id) AND p.sequence < e.sequence
                       AND (SELECT x.state FROM leaver.outbox_attempts x WHERE x.event_id = p.id AND x.destination = $1)
                           IN ('due', 'leased')
                     LIMIT 1) IS NULL)
               ORDER BY a.event_id LIMIT $4 FOR UPDATE OF a SKIP LOCKED
           ), leased AS (
               UPDATE leaver.outbox_attempts a SET state = 'leased', leased_until = $3 FROM picked p
               WHERE a.event_id = p.event_id AND a.destination = $1
               RETURNING a.event_id, a.attempts
           )
           SELECT e.id, e.type AS kind, e.source, e.tenant, e.employee_id, e.sequence, e.occurred_at, e.shadow, e.data,
                  CASE WHEN $6 THEN e.details END AS details, l.attempts AS "attempts!"
           FROM leased l JOIN leaver.outbox e ON e.id = l.event_id ORDER BY e.id"#,
        limit.destination,
        now,
        limit.leased_until,
        limit.events,
        limit.is_ordered,
        limit.has_details,
        after,
        PROBE_CANDIDATES,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Claimed::from).collect())
}

/// Returns when the next event of a destination becomes due, or the next lease ends. What is due already waits for an event that
/// is counted here, or for one that is being sent.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn next_due(
    conn: &mut PgConnection,
    destination: &str,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT min(GREATEST(leased_until, next_at)) FROM leaver.outbox_attempts
         WHERE destination = $1 AND state IN ('due', 'leased') AND (next_at > $2 OR leased_until > $2)",
        destination,
        now,
    )
    .fetch_one(conn)
    .await
}

/// Returns whether a process sends events to a destination now.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn is_leased(
    conn: &mut PgConnection,
    destination: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM leaver.outbox_attempts
                          WHERE destination = $1 AND state = 'leased' AND leased_until > $2) AS "is_leased!""#,
        destination,
        now,
    )
    .fetch_one(conn)
    .await
}

/// Gives leased events back that were not sent.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn release(
    conn: &mut PgConnection,
    destination: &str,
    events: &[Uuid],
    leased_until: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE leaver.outbox_attempts SET state = 'due', leased_until = NULL
         WHERE destination = $1 AND event_id = ANY($2) AND state = 'leased' AND leased_until = $3",
        destination,
        events,
        leased_until,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Stores results. That of another process, which leased an event after the lease ran out, stays, unless the event is delivered.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn settle(
    conn: &mut PgConnection,
    destination: &str,
    settled: &[Settled],
    leased_until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = settled.iter().map(|one| one.event).collect();
    let states: Vec<&str> = settled.iter().map(|one| one.state).collect();
    let attempts: Vec<i32> = settled.iter().map(|one| one.attempts).collect();
    let next: Vec<DateTime<Utc>> = settled.iter().map(|one| one.next_at).collect();
    let statuses: Vec<Option<i32>> = settled.iter().map(|one| one.status).collect();
    let errors: Vec<Option<&str>> = settled.iter().map(|one| one.error.as_deref()).collect();
    sqlx::query!(
        "UPDATE leaver.outbox_attempts a
         SET state = s.state, attempts = s.attempts, next_at = s.next_at, leased_until = NULL,
             finished_at = CASE WHEN s.state IN ('done', 'dead') THEN $4::timestamptz END,
             last_status = s.status, last_error = s.error
         FROM unnest($2::uuid[], $5::text[], $6::integer[], $7::timestamptz[], $8::integer[], $9::text[])
              AS s (event_id, state, attempts, next_at, status, error)
         WHERE a.destination = $1 AND a.event_id = s.event_id
           AND ((a.state = 'leased' AND a.leased_until = $3) OR (s.state = 'done' AND a.state <> 'done'))",
        destination,
        &ids,
        leased_until,
        now,
        &states as &[&str],
        &attempts,
        &next,
        &statuses as &[Option<i32>],
        &errors as &[Option<&str>],
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Lets events wait until a time, without an attempt.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn postpone(
    conn: &mut PgConnection,
    destination: &str,
    events: &[Uuid],
    until: DateTime<Utc>,
    leased_until: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE leaver.outbox_attempts SET state = 'due', leased_until = NULL, next_at = $4
         WHERE destination = $1 AND event_id = ANY($2) AND state = 'leased' AND leased_until = $3",
        destination,
        events,
        leased_until,
        until,
    )
    .execute(conn)
    .await
    .map(drop)
}
