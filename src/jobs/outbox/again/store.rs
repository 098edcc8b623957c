//! Makes attempts due again.

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::super::standing;
use super::{Retried, RetryResult};

/// Makes these events due now where they are dead or wait, at one destination or at all. Their attempts are counted from 0.
///
/// # Errors
/// Returns the database's error; nothing was changed then.
pub(crate) async fn retry(
    conn: &mut PgConnection,
    events: &[Uuid],
    destination: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Vec<Retried>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"WITH due AS (
               UPDATE leaver.outbox_attempts
               SET state = 'due', attempts = 0, next_at = $3, since = CASE WHEN state = 'dead' THEN $3 ELSE since END,
                   finished_at = NULL
               WHERE event_id = ANY($1) AND ($2::text IS NULL OR destination = $2) AND state IN ('due', 'dead')
           )
           SELECT id AS "id!", a.destination AS "destination?", a.state AS "state?"
           FROM unnest($1::uuid[]) WITH ORDINALITY AS asked (id, n)
           LEFT JOIN leaver.outbox_attempts a ON a.event_id = asked.id AND ($2::text IS NULL OR a.destination = $2)
           ORDER BY asked.n, a.destination"#,
        events,
        destination,
        now,
    )
    .fetch_all(conn)
    .await?;
    let results = rows.into_iter().map(|row| Retried {
        event: row.id,
        destination: row.destination,
        result: match row.state.as_deref() {
            None => RetryResult::Unknown,
            Some("done") => RetryResult::AlreadySent,
            Some(_) => RetryResult::Due,
        },
    });
    Ok(results.collect())
}

/// Makes all dead events of a destination due now, and returns their number.
///
/// # Errors
/// Returns the database's error; nothing was changed then.
pub(crate) async fn retry_dead(
    conn: &mut PgConnection,
    destination: &str,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE leaver.outbox_attempts SET state = 'due', attempts = 0, next_at = $2, since = $2, finished_at = NULL
         WHERE destination = $1 AND state = 'dead'",
        destination,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Makes all kept events of these types that happened since a time due at a destination, also those that it has. Returns their
/// number.
///
/// # Errors
/// Returns the database's error; nothing was changed then.
pub(crate) async fn recover(
    conn: &mut PgConnection,
    destination: &str,
    types: &[&str],
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "INSERT INTO leaver.outbox_attempts AS a (event_id, destination, next_at, since)
         SELECT id, $1, $4, $4 FROM leaver.outbox WHERE occurred_at >= $3 AND type = ANY($2) ORDER BY id
         ON CONFLICT ON CONSTRAINT outbox_attempts_pkey DO UPDATE
         SET state = 'due', attempts = 0, next_at = $4, since = $4, leased_until = NULL, finished_at = NULL
         WHERE a.state <> 'leased'",
        destination,
        types as &[&str],
        since,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Ends the pause of a destination, and makes all its events due. Returns since when it was paused, and the number of events
/// that wait.
///
/// # Errors
/// Returns the database's error; nothing was changed then.
pub(crate) async fn resume(
    conn: &mut PgConnection,
    destination: &str,
    now: DateTime<Utc>,
) -> Result<(Option<DateTime<Utc>>, i64), sqlx::Error> {
    let mut tx = conn.begin().await?;
    let mut state = standing::store::lock(&mut tx, destination).await?;
    let paused_at = state.paused_at;
    state.resume();
    standing::store::save(&mut tx, destination, &state).await?;
    standing::store::make_due(&mut tx, destination, now).await?;
    let waiting = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM leaver.outbox_attempts WHERE destination = $1 AND state IN ('due', 'leased')"#,
        destination,
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok((paused_at, waiting))
}
