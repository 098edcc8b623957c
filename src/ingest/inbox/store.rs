//! The table `leaver.deliveries`. Each function takes a slice and executes one statement for it.

use std::collections::HashMap;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Delivery, DeliveryOutcome, Replay, SMALL_BODY_BYTES, Settlement};
use leaver_core::domain::DeliveryId;

/// The size of a claim.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClaimLimit {
    /// Deliveries.
    pub deliveries: i64,
    /// Bytes of their bodies together. A single larger delivery is still claimed, alone.
    pub bytes: i64,
    /// True if a delivery with a large body may be claimed.
    pub takes_large: bool,
}

/// Bytes of a large body that are read at once.
const PART_BYTES: usize = 1 << 20;

/// Claims deliveries that are due, oldest first, and locks their rows until the transaction ends. Skips rows that are
/// locked elsewhere. A delivery that must be processed alone is returned alone, as one with a large body.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn claim(
    conn: &mut PgConnection,
    limit: ClaimLimit,
    now: DateTime<Utc>,
) -> Result<Vec<Delivery>, sqlx::Error> {
    // A body up to its share of the limit is loaded here, a larger one only if its delivery is claimed. The planner does not
    // know the value of a subquery, and so expects a small limit: it reads the index in its order. Otherwise, without
    // statistics about a new backlog, it sorts the whole backlog for each claim. If the first one is large, no others are
    // locked, since it can take long.
    let small = i64::try_from(SMALL_BODY_BYTES).unwrap_or(i64::MAX);
    let share = (limit.bytes / limit.deliveries.max(1)).min(small);
    let mut due = sqlx::query!(
        "WITH first AS MATERIALIZED (
             SELECT body_bytes FROM leaver.deliveries
             WHERE state = 'pending' AND next_attempt_at <= $1 AND ($5 OR body_bytes <= $4::bigint)
             ORDER BY next_attempt_at, id
             LIMIT 1
             FOR UPDATE SKIP LOCKED
         )
         SELECT id, source, signed_at, received_at, attempts, isolated, body_bytes,
                CASE WHEN body_bytes <= $3::bigint THEN body END AS body
         FROM leaver.deliveries
         WHERE state = 'pending' AND next_attempt_at <= $1 AND ($5 OR body_bytes <= $4)
         ORDER BY next_attempt_at, id
         LIMIT (SELECT CASE WHEN (SELECT body_bytes FROM first) > $4 THEN 1 ELSE $2::bigint END)
         FOR UPDATE SKIP LOCKED",
        now,
        limit.deliveries,
        share,
        small,
        limit.takes_large,
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut total = 0_i64;
    let is_alone = |isolated: bool, bytes: i32| isolated || i64::from(bytes) > small;
    let first_is_alone = due
        .first()
        .is_some_and(|row| is_alone(row.isolated, row.body_bytes));
    let taken = due.iter().enumerate().take_while(|(position, row)| {
        total += i64::from(row.body_bytes);
        let is_alone = first_is_alone || is_alone(row.isolated, row.body_bytes);
        *position == 0 || (total <= limit.bytes && !is_alone)
    });
    due.truncate(taken.count());
    let missing = due
        .iter()
        .filter(|row| row.body.is_none() && i64::from(row.body_bytes) <= small);
    let missing: Vec<Uuid> = missing.map(|row| row.id).collect();
    let mut bodies = bodies(conn, &missing).await?;
    let mut claimed = Vec::with_capacity(due.len());
    for row in due {
        let id = DeliveryId(row.id);
        let body = match row.body.or_else(|| bodies.remove(&row.id)) {
            Some(body) => body,
            None => body(conn, id).await?,
        };
        claimed.push(Delivery {
            id,
            source: row.source,
            signed_at: row.signed_at,
            received_at: row.received_at,
            body: Bytes::from(body),
            attempts: row.attempts,
            isolated: row.isolated,
        });
    }
    claimed.sort_by_key(|delivery| (delivery.received_at, delivery.id));
    Ok(claimed)
}

/// Loads a body part by part: a row takes as much memory again as its body. Without one, it is empty.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn body(conn: &mut PgConnection, id: DeliveryId) -> Result<Vec<u8>, sqlx::Error> {
    let mut body = vec![];
    for start in (1..).step_by(PART_BYTES) {
        let part = sqlx::query_scalar!(
            r#"SELECT COALESCE(substring(body FROM $2 FOR $3), '') AS "part!" FROM leaver.deliveries WHERE id = $1"#,
            id.0,
            start,
            i32::try_from(PART_BYTES).unwrap_or(i32::MAX),
        )
        .fetch_one(&mut *conn)
        .await?;
        let is_last = part.len() < PART_BYTES;
        body.extend(part);
        if is_last {
            break;
        }
    }
    Ok(body)
}

async fn bodies(
    conn: &mut PgConnection,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Vec<u8>>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query!(
        r#"SELECT id, body AS "body!" FROM leaver.deliveries WHERE id = ANY($1)"#,
        ids,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.body)).collect())
}

/// Returns when the next pending delivery is due, also one that another transaction has locked.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn next_attempt_at(
    conn: &mut PgConnection,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT next_attempt_at FROM leaver.deliveries
         WHERE state = 'pending' ORDER BY next_attempt_at, id LIMIT 1"
    )
    .fetch_optional(conn)
    .await
}

/// Loads a pending delivery and locks its row until the transaction ends; `None` if it is not pending.
///
/// # Errors
/// Returns the database's error.
pub async fn lock(
    conn: &mut PgConnection,
    id: DeliveryId,
) -> Result<Option<Delivery>, sqlx::Error> {
    let row = sqlx::query!(
        "SELECT source, signed_at, received_at, attempts, isolated
         FROM leaver.deliveries WHERE id = $1 AND state = 'pending' FOR UPDATE",
        id.0,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Delivery {
        id,
        source: row.source,
        signed_at: row.signed_at,
        received_at: row.received_at,
        body: Bytes::from(body(conn, id).await?),
        attempts: row.attempts,
        isolated: row.isolated,
    }))
}

/// Stores the final state of deliveries and deletes their bodies, except those of failed ones and of those with entries
/// that could not be read. A processed delivery without event times that was signed again meanwhile becomes pending, as
/// of the later time.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub async fn settle(
    conn: &mut PgConnection,
    settlements: &[Settlement],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = settlements.iter().map(|s| s.id.0).collect();
    let mut states: Vec<&str> = vec![];
    let mut reasons: Vec<Option<&str>> = vec![];
    let mut outcomes: Vec<Option<&serde_json::Value>> = vec![];
    let mut timed: Vec<bool> = vec![];
    // Postgres arrays must be rectangular, so each list is sent as the text of an array.
    let mut named: Vec<Option<&str>> = vec![];
    for settlement in settlements {
        let (state, reason, outcome, has_event_times) = match &settlement.end {
            DeliveryOutcome::Processed {
                outcome,
                has_event_times,
                bad_entries,
            } => (
                "processed",
                bad_entries.as_deref(),
                Some(outcome),
                *has_event_times,
            ),
            DeliveryOutcome::Ignored {
                reason,
                has_event_times,
            } => ("ignored", Some(reason.as_str()), None, *has_event_times),
            DeliveryOutcome::Failed {
                reason,
                has_event_times,
            } => ("failed", Some(reason.as_str()), None, *has_event_times),
        };
        states.push(state);
        reasons.push(reason);
        outcomes.push(outcome);
        timed.push(has_event_times);
        named.push(settlement.employee_ids.as_ref().map(|ids| ids.0.as_str()));
    }
    sqlx::query!(
        "UPDATE leaver.deliveries AS d
         SET state = s.state, reason = s.reason, outcome = s.outcome, has_event_times = s.has_event_times,
             processed_at = $6, isolated = false,
             employee_ids = s.named::text[],
             body = CASE WHEN s.state = 'failed' OR (s.state = 'processed' AND s.reason IS NOT NULL)
                           OR (s.state = 'processed' AND NOT s.has_event_times AND d.resigned_at IS NOT NULL)
                         THEN d.body END
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::jsonb[], $5::bool[], $7::text[])
              AS s (id, state, reason, outcome, has_event_times, named)
         WHERE d.id = s.id",
        &ids,
        &states as &[&str],
        &reasons as &[Option<&str>],
        &outcomes as &[Option<&serde_json::Value>],
        &timed,
        now,
        &named as &[Option<&str>],
    )
    .execute(&mut *conn)
    .await?;
    let untimed: Vec<Uuid> = settlements
        .iter()
        .filter(|settlement| settlement.end.may_carry_new_facts())
        .map(|settlement| settlement.id.0)
        .collect();
    if untimed.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE leaver.deliveries
         SET state = 'pending', signed_at = resigned_at, resigned_at = NULL, received_at = $2,
             next_attempt_at = $2, attempts = 0, processed_at = NULL, reason = NULL, outcome = NULL,
             reprocess_count = reprocess_count + 1
         WHERE id = ANY($1) AND state = 'processed' AND resigned_at IS NOT NULL AND body IS NOT NULL",
        &untimed,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Records a failed attempt and the time of the next one.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub(crate) async fn postpone(
    conn: &mut PgConnection,
    id: DeliveryId,
    reason: &str,
    next_attempt_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE leaver.deliveries SET attempts = attempts + 1, reason = $2, next_attempt_at = $3
         WHERE id = $1 AND state = 'pending'",
        id.0,
        reason,
        next_attempt_at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Makes pending deliveries due whose next attempt is more than `longest_wait` ahead. Returns how many.
///
/// A longer wait is never set, so a clock has stepped back since, or that of another replica is fast.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub(crate) async fn reset_far_future_attempts(
    conn: &mut PgConnection,
    longest_wait: TimeDelta,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "WITH ahead AS (
             SELECT id FROM leaver.deliveries WHERE state = 'pending' AND next_attempt_at > $1
             ORDER BY id FOR UPDATE SKIP LOCKED
         )
         UPDATE leaver.deliveries SET next_attempt_at = $2 WHERE id IN (SELECT id FROM ahead)",
        now + longest_wait,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Makes failed deliveries pending again, and processed ones whose body was kept. Returns the result for each id.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub async fn replay(
    conn: &mut PgConnection,
    ids: &[DeliveryId],
    now: DateTime<Utc>,
) -> Result<Vec<(DeliveryId, Replay)>, sqlx::Error> {
    let wanted: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"WITH found AS (
               SELECT id, state, body IS NOT NULL AS has_body
               FROM leaver.deliveries WHERE id = ANY($1) ORDER BY id FOR UPDATE
           ), queued AS (
               UPDATE leaver.deliveries AS d
               SET state = 'pending', attempts = 0, reason = NULL, outcome = NULL, processed_at = NULL, next_attempt_at = $2
               FROM found WHERE d.id = found.id AND found.state IN ('failed', 'processed') AND found.has_body
               RETURNING d.id
           )
           SELECT found.id, found.state, queued.id IS NOT NULL AS "queued!"
           FROM found LEFT JOIN queued USING (id)"#,
        &wanted,
        now,
    )
    .fetch_all(conn)
    .await?;
    let found: HashMap<Uuid, Replay> = rows
        .into_iter()
        .map(|row| {
            let became = match (row.queued, row.state.as_str()) {
                (true, _) => Replay::Queued,
                (false, "pending") => Replay::AlreadyPending,
                (false, _) => Replay::BodyGone,
            };
            (row.id, became)
        })
        .collect();
    Ok(ids
        .iter()
        .map(|id| (*id, found.get(&id.0).copied().unwrap_or(Replay::Unknown)))
        .collect())
}
