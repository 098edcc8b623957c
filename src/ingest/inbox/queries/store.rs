//! Read-only queries of `leaver.deliveries`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{ArrivedDelivery, Backlog, LastDelivery};
use leaver_core::domain::{DeliveryId, EmployeeId, SourceName};

/// Counts pending and failed deliveries.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn backlog(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<Backlog, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT count(*) FILTER (WHERE state = 'pending') AS "pending!",
                  count(*) FILTER (WHERE state = 'failed') AS "failed!",
                  min(received_at) FILTER (WHERE state = 'pending') AS oldest
           FROM leaver.deliveries WHERE state IN ('pending', 'failed')"#
    )
    .fetch_one(conn)
    .await?;
    Ok(Backlog {
        pending: row.pending,
        oldest_seconds: row.oldest.map_or(0, |at| (now - at).num_seconds().max(0)),
        failed: row.failed,
    })
}

/// Finds the newest delivery of each source, in the order given.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn last_deliveries(
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

/// Loads the deliveries of a source since a time that name one of these employees, or may do so. The employees of a
/// pending or failed delivery are in its body only.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn arrived(
    conn: &mut PgConnection,
    source: &SourceName,
    since: DateTime<Utc>,
    employees: &[EmployeeId],
) -> Result<Vec<ArrivedDelivery>, sqlx::Error> {
    let ids: Vec<String> = employees.iter().map(ToString::to_string).collect();
    let rows = sqlx::query!(
        "SELECT id, received_at, employee_ids
         FROM leaver.deliveries
         WHERE source = $1 AND received_at >= $2
           AND (employee_ids && $3 OR (employee_ids IS NULL AND body IS NOT NULL))
         ORDER BY received_at, id",
        source.as_str(),
        since,
        &ids,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ArrivedDelivery {
            id: DeliveryId(row.id),
            received_at: row.received_at,
            employee_ids: row
                .employee_ids
                .map(|ids| ids.into_iter().map(EmployeeId::new).collect()),
        })
        .collect())
}
