//! The tables `leaver.batches` and `leaver.changes`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Change;
use crate::db::employee_keys::KeyColumns;
use crate::engine::origin::Origin;
use leaver_core::domain::AccountId;

/// Inserts changes and their batches. `writers` are the transactions that wrote the rows of the accounts.
///
/// A transaction may have read the clock before a trip was closed, and changed accounts afterwards. Its changes are dated after
/// the closing, since they belong to the windows that start there.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn insert(
    conn: &mut PgConnection,
    changes: &[Change],
    writers: &BTreeMap<AccountId, i64>,
    origin: &Origin,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    type Moment = Option<DateTime<Utc>>;
    let keys = KeyColumns::of(changes.iter().map(|change| &change.employee));
    let batches: Vec<Uuid> = changes.iter().map(|change| change.batch).collect();
    let accounts: Vec<&str> = changes.iter().map(|c| c.account.as_str()).collect();
    let directions: Vec<&str> = changes.iter().map(|c| c.direction.as_str()).collect();
    let writers: Vec<Option<i64>> = changes
        .iter()
        .map(|change| writers.get(&change.account).copied())
        .collect();
    let counted: Vec<bool> = changes.iter().map(|change| change.is_counted).collect();
    let times = |time: fn(&Change) -> Moment| changes.iter().map(time).collect::<Vec<Moment>>();
    sqlx::query!(
        "WITH change AS (
             SELECT * FROM unnest($4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bigint[],
                                  $11::boolean[], $12::timestamptz[], $13::timestamptz[], $14::timestamptz[])
                  WITH ORDINALITY AS c (batch_id, account_id, source, tenant, employee_id, direction, writer, counted,
                                        effective_at, provider_at, received_at, n)
         ), opened AS (
             INSERT INTO leaver.batches (id, cause, actor, opened_at)
             SELECT DISTINCT batch_id, $2, $3, $1::timestamptz FROM change
             ON CONFLICT (id) DO NOTHING
         )
         INSERT INTO leaver.changes (batch_id, account_id, source, tenant, employee_id, direction, cause, at, xid, counted,
                                     effective_at, provider_at, received_at)
         SELECT batch_id, account_id, source, tenant, employee_id, direction, $2,
                GREATEST($1, (SELECT max(t.closed_at) + interval '1 microsecond' FROM leaver.trips t
                              WHERE t.tenant = c.tenant AND t.direction = c.direction)),
                writer::text::xid8, counted, effective_at, provider_at, received_at
         FROM change c ORDER BY n",
        now,
        origin.cause.as_str(),
        origin.actor.to_string(),
        &batches,
        &accounts as &[&str],
        &keys.sources,
        &keys.tenants,
        &keys.employee_ids,
        &directions as &[&str],
        &writers as &[Option<i64>],
        &counted,
        &times(|change| change.effective_at) as &[Moment],
        &times(|change| change.provider_at) as &[Moment],
        &times(|change| change.received_at) as &[Moment],
    )
    .execute(conn)
    .await?;
    Ok(())
}
