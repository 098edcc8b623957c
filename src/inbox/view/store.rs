//! Reads `leaver.deliveries` for people and for health.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Backlog, LastDelivery, Listed};
use crate::domain::SourceName;

/// Whether the database answers.
///
/// # Errors
/// Whatever the database says.
pub async fn ping(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT 1 AS one").fetch_one(conn).await?;
    Ok(())
}

/// How much waits.
///
/// # Errors
/// Whatever the database says.
pub async fn backlog(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<Backlog, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT count(*) FILTER (WHERE state = 'waiting') AS "waiting!",
                  count(*) FILTER (WHERE state = 'parked') AS "parked!",
                  min(received_at) FILTER (WHERE state = 'waiting') AS oldest
           FROM leaver.deliveries WHERE state IN ('waiting', 'parked')"#
    )
    .fetch_one(conn)
    .await?;
    Ok(Backlog {
        waiting: row.waiting,
        oldest_seconds: row.oldest.map_or(0, |at| (now - at).num_seconds().max(0)),
        parked: row.parked,
    })
}

/// When each of these sources last sent something.
///
/// # Errors
/// Whatever the database says.
pub async fn last_deliveries(
    conn: &mut PgConnection,
    sources: &[SourceName],
) -> Result<Vec<LastDelivery>, sqlx::Error> {
    let names: Vec<String> = sources.iter().map(ToString::to_string).collect();
    let rows = sqlx::query!(
        r#"SELECT s.n AS "n!", d.received_at AS "received_at?"
           FROM unnest($1::text[]) WITH ORDINALITY AS s (source, n)
           LEFT JOIN LATERAL (
               SELECT received_at FROM leaver.deliveries d
               WHERE d.source = s.source ORDER BY received_at DESC LIMIT 1
           ) d ON true
           ORDER BY s.n"#,
        &names,
    )
    .fetch_all(conn)
    .await?;
    Ok(sources
        .iter()
        .zip(rows)
        .map(|(source, row)| LastDelivery {
            source: source.clone(),
            at: row.received_at,
        })
        .collect())
}

/// The newest deliveries, for a person; with `state`, only those in it.
///
/// # Errors
/// Whatever the database says.
pub async fn list(
    conn: &mut PgConnection,
    state: Option<&str>,
    source: Option<&str>,
    limit: i64,
) -> Result<Vec<Listed>, sqlx::Error> {
    sqlx::query_as!(
        Listed,
        r#"SELECT id, source, received_at, state, attempts, settled_at, body_bytes, cause, outcome
           FROM leaver.deliveries
           WHERE ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR source = $2)
           ORDER BY received_at DESC, id DESC
           LIMIT $3"#,
        state,
        source,
        limit,
    )
    .fetch_all(conn)
    .await
}
