//! The table `leaver.observations`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;

use crate::db::employee_keys::KeyColumns;
use crate::roster::Observed;
use crate::roster::facts_json::StoredFacts;

/// Inserts one row for each observation that changed a fact. Without any, it runs no statement. `via` is `webhook`, `sync`, or
/// `api` for the read of one employee.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    observed: &[Observed],
    via: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let changes = || {
        observed.iter().flat_map(|observed| {
            let key = &observed.employee.key;
            observed.changes.iter().map(move |change| (key, change))
        })
    };
    let columns = KeyColumns::of(changes().map(|(key, _)| key));
    if columns.sources.is_empty() {
        return Ok(());
    }
    let facts: Vec<Json<&StoredFacts>> = changes().map(|(_, change)| Json(&change.facts)).collect();
    let deliveries: Vec<Option<uuid::Uuid>> = changes()
        .map(|(_, change)| change.delivery.map(|id| id.0))
        .collect();
    sqlx::query!(
        "INSERT INTO leaver.observations (at, via, source, tenant, employee_id, facts, delivery_id)
         SELECT $1, $2, source, tenant, employee_id, facts, delivery_id
         FROM unnest($3::text[], $4::text[], $5::text[], $6::jsonb[], $7::uuid[])
              WITH ORDINALITY AS o (source, tenant, employee_id, facts, delivery_id, n)
         ORDER BY n",
        now,
        via,
        &columns.sources,
        &columns.tenants,
        &columns.employee_ids,
        &facts as &[Json<&StoredFacts>],
        &deliveries as &[Option<uuid::Uuid>],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes the rows from before a moment among the `limit` oldest. Returns how many. The sequence number stands for the age, so
/// no index on the time is needed.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub(crate) async fn delete_before(
    conn: &mut PgConnection,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    let deleted = sqlx::query!(
        "DELETE FROM leaver.observations
         WHERE id IN (SELECT id FROM leaver.observations ORDER BY id LIMIT $2) AND at < $1",
        before,
        limit,
    )
    .execute(conn)
    .await?;
    Ok(deleted.rows_affected())
}
