//! The table `leaver.pending_reads`.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::PendingRead;
use crate::db::employee_keys::{KeyColumns, employee_key};
use leaver_core::domain::{DeliveryId, EmployeeKey, SourceName};

/// Inserts reads that are due at once. An existing read changes only if the new change is newer, and keeps its
/// permanent failure. Returns true if any read was inserted or changed.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub async fn insert(
    conn: &mut PgConnection,
    reads: &[PendingRead],
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    if reads.is_empty() {
        return Ok(false);
    }
    // In key order, so that overlapping slices wait for each other instead of deadlocking.
    let mut reads: Vec<&PendingRead> = reads.iter().collect();
    reads.sort();
    let columns = KeyColumns::of(reads.iter().map(|read| &read.key));
    let since: Vec<DateTime<Utc>> = reads.iter().map(|r| r.since).collect();
    let noted = sqlx::query!(
        "INSERT INTO leaver.pending_reads AS d (source, tenant, employee_id, since, next_attempt_at)
         SELECT source, tenant, employee_id, since, $5
         FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) WITH ORDINALITY
              AS k (source, tenant, employee_id, since, n)
         ORDER BY n
         ON CONFLICT ON CONSTRAINT pending_reads_pkey DO UPDATE
         SET since = excluded.since, attempts = 0, next_attempt_at = excluded.next_attempt_at,
             reason = CASE WHEN d.failed_since IS NOT NULL THEN d.reason END
         WHERE d.since < excluded.since",
        &columns.sources,
        &columns.tenants,
        &columns.employee_ids,
        &since,
        now,
    )
    .execute(conn)
    .await?;
    Ok(noted.rows_affected() > 0)
}

/// Counts the pending reads.
///
/// # Errors
/// Returns the database's error.
pub async fn count(conn: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM leaver.pending_reads"#)
        .fetch_one(conn)
        .await
}

/// Returns the last delivery about the employee of each of these reads, in their order.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn last_deliveries(
    conn: &mut PgConnection,
    reads: &[PendingRead],
) -> Result<Vec<Option<DeliveryId>>, sqlx::Error> {
    let columns = KeyColumns::of(reads.iter().map(|read| &read.key));
    let rows = sqlx::query_scalar!(
        r#"SELECT e.last_delivery_id AS "id?"
           FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS k (source, tenant, employee_id, n)
           LEFT JOIN leaver.employees e ON (e.source, e.tenant, e.employee_id) = (k.source, k.tenant, k.employee_id)
           ORDER BY k.n"#,
        &columns.sources,
        &columns.tenants,
        &columns.employee_ids,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|id| id.map(DeliveryId)).collect())
}

/// Returns when the next read of these sources is due.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn next_attempt_at(
    conn: &mut PgConnection,
    sources: &[SourceName],
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    let sources: Vec<String> = sources.iter().map(ToString::to_string).collect();
    sqlx::query_scalar!(
        "SELECT min(next_attempt_at) FROM leaver.pending_reads WHERE source = ANY($1)",
        &sources,
    )
    .fetch_one(conn)
    .await
}

/// Claims due reads of these sources, longest due first, until `leased_until`. After that another replica may claim them.
///
/// A change in the future waits for its time, unless it is later than `max_since`: then a clock has stepped back.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub(crate) async fn claim(
    conn: &mut PgConnection,
    sources: &[SourceName],
    limit: i64,
    now: DateTime<Utc>,
    leased_until: DateTime<Utc>,
    max_since: DateTime<Utc>,
) -> Result<Vec<PendingRead>, sqlx::Error> {
    let sources: Vec<String> = sources.iter().map(ToString::to_string).collect();
    let rows = sqlx::query!(
        "UPDATE leaver.pending_reads AS d
         SET next_attempt_at = $4
         FROM (SELECT source, tenant, employee_id FROM leaver.pending_reads
               WHERE next_attempt_at <= $3 AND (since < $3 OR since > $5) AND source = ANY($1)
               ORDER BY next_attempt_at LIMIT $2
               FOR UPDATE SKIP LOCKED) AS k
         WHERE (d.source, d.tenant, d.employee_id) = (k.source, k.tenant, k.employee_id)
         RETURNING d.source, d.tenant, d.employee_id, d.since, d.attempts, d.failed_since",
        &sources,
        limit,
        now,
        leased_until,
        max_since,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(PendingRead {
                key: employee_key(&row.source, row.tenant, row.employee_id)?,
                since: row.since,
                attempts: row.attempts,
                failed_since: row.failed_since,
            })
        })
        .collect()
}

/// Makes reads due whose next attempt is too far ahead: more than `longest_wait`, or `longest_after_failure` if the read
/// has failed. Returns how many.
///
/// A longer wait is never set, so a clock has stepped back since, or that of another replica is fast.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub(crate) async fn reset_far_future_attempts(
    conn: &mut PgConnection,
    longest_wait: TimeDelta,
    longest_after_failure: TimeDelta,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "WITH ahead AS (
             SELECT source, tenant, employee_id FROM leaver.pending_reads
             WHERE next_attempt_at > CASE WHEN attempts = 0 THEN $1::timestamptz ELSE $2 END
             ORDER BY source, tenant, employee_id FOR UPDATE SKIP LOCKED
         )
         UPDATE leaver.pending_reads AS d SET next_attempt_at = $3 FROM ahead
         WHERE (d.source, d.tenant, d.employee_id) = (ahead.source, ahead.tenant, ahead.employee_id)",
        now + longest_wait,
        now + longest_after_failure,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Deletes a read that began at `read_from`, unless a newer change was reported since.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub async fn forget(
    conn: &mut PgConnection,
    key: &EmployeeKey,
    read_from: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "DELETE FROM leaver.pending_reads
         WHERE source = $1 AND tenant = $2 AND employee_id = $3 AND since < $4",
        key.source.as_str(),
        key.tenant.to_string(),
        key.employee_id.as_str(),
        read_from,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Postpones a read, and counts a failure if there is a reason. A read whose change is newer stays due. `failed_since` is
/// stored unless an earlier one is known.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub(crate) async fn postpone(
    conn: &mut PgConnection,
    read: &PendingRead,
    reason: Option<&str>,
    failed_since: Option<DateTime<Utc>>,
    until: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE leaver.pending_reads
         SET next_attempt_at = $5,
             failed_since = COALESCE(failed_since, $7),
             attempts = attempts + CASE WHEN $6::text IS NULL THEN 0 ELSE 1 END,
             reason = COALESCE($6, reason)
         WHERE source = $1 AND tenant = $2 AND employee_id = $3 AND since = $4",
        read.key.source.as_str(),
        read.key.tenant.to_string(),
        read.key.employee_id.as_str(),
        read.since,
        until,
        reason,
        failed_since,
    )
    .execute(conn)
    .await?;
    Ok(())
}
