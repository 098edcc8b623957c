//! Counts for health over several tables.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::TripHealth;
use super::query::{DeliveriesOfSource, FailingReads, Leavers, OverdueEnds};
use leaver_core::domain::SourceName;

/// Counts the employees whose deactivation is blocked, and those who left while no account is found.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn leavers(conn: &mut PgConnection) -> Result<Leavers, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM leaver.employees WHERE blocked_retry_at IS NOT NULL) AS "blocked!",
                  (SELECT count(*) FROM leaver.employees WHERE without_account_since IS NOT NULL) AS "without_account!""#
    )
    .fetch_one(conn)
    .await?;
    Ok(Leavers {
        blocked: row.blocked,
        without_account: row.without_account,
    })
}

/// Counts the scheduled ends of these sources that were due before a time and are not blocked.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn overdue_ends(
    conn: &mut PgConnection,
    sources: &[SourceName],
    before: DateTime<Utc>,
) -> Result<OverdueEnds, sqlx::Error> {
    let names: Vec<String> = sources.iter().map(ToString::to_string).collect();
    let row = sqlx::query!(
        r#"SELECT count(*) AS "count!", min(access_ends_at) AS oldest_at FROM leaver.employees
           WHERE COALESCE(blocked_retry_at, access_ends_at) < $1 AND blocked_retry_at IS NULL AND source = ANY($2)"#,
        before,
        &names,
    )
    .fetch_one(conn)
    .await?;
    Ok(OverdueEnds {
        count: row.count,
        oldest_at: row.oldest_at,
    })
}

/// Counts the pending reads that fail permanently, and those that failed and wait since before `older_than`.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn failing_reads(
    conn: &mut PgConnection,
    older_than: DateTime<Utc>,
) -> Result<FailingReads, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT count(*) AS "count!", max(reason) AS reason FROM leaver.pending_reads
           WHERE failed_since IS NOT NULL OR (attempts > 0 AND since <= $1)"#,
        older_than,
    )
    .fetch_one(conn)
    .await?;
    Ok(FailingReads {
        count: row.count,
        reason: row.reason,
    })
}

/// Counts by source the failed deliveries, and those with entries that could not be read, whose reason contains this
/// text. Sources without any are left out.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn deliveries_with_reason(
    conn: &mut PgConnection,
    sources: &[SourceName],
    text: &str,
) -> Result<Vec<DeliveriesOfSource>, sqlx::Error> {
    let names: Vec<String> = sources.iter().map(ToString::to_string).collect();
    let rows = sqlx::query!(
        r#"SELECT source AS "source!", count(*) AS "count!"
           FROM (SELECT source, reason FROM leaver.deliveries WHERE state = 'failed'
                 UNION ALL
                 SELECT source, reason FROM leaver.deliveries WHERE state = 'processed' AND body IS NOT NULL) AS d
           WHERE strpos(reason, $2) > 0 AND source = ANY($1)
           GROUP BY source ORDER BY source"#,
        &names,
        text,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| DeliveriesOfSource {
            source: row.source,
            count: row.count,
        })
        .collect())
}

/// Returns the open trips of the safeguard, oldest first, with the number of changes that each holds.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn open_trips(conn: &mut PgConnection) -> Result<Vec<TripHealth>, sqlx::Error> {
    sqlx::query_as!(
        TripHealth,
        r#"SELECT t.tenant, t.direction, t.id AS trip,
                  (SELECT count(*) FROM leaver.holds h WHERE h.trip_id = t.id AND h.state = 'open') AS "held!"
           FROM leaver.trips t WHERE t.state = 'open' ORDER BY t.id"#
    )
    .fetch_all(conn)
    .await
}
