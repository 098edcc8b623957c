//! The table `leaver.observations`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;

use crate::db::employee_keys::{KeyColumns, employee_key};
use crate::roster::facts_json::StoredFacts;
use crate::roster::observations::FactChange;
use leaver_core::domain::{EmployeeKey, Tenant};

/// Inserts one row for each observation that changed a fact. Without any, it runs no statement. `via` is `webhook`, `sync`, or
/// `api` for the read of one employee.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    changes: &[(&EmployeeKey, &FactChange)],
    via: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if changes.is_empty() {
        return Ok(());
    }
    let columns = KeyColumns::of(changes.iter().map(|(key, _)| *key));
    let facts: Vec<Json<&StoredFacts>> = changes.iter().map(|(_, c)| Json(&c.facts)).collect();
    let deliveries: Vec<Option<uuid::Uuid>> = changes
        .iter()
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

/// One row.
pub(crate) struct RecordedObservation {
    /// The sequence number.
    pub(crate) id: i64,
    /// When it was observed.
    pub(crate) at: DateTime<Utc>,
    /// The employee.
    pub(crate) key: EmployeeKey,
    /// The facts that changed.
    pub(crate) facts: StoredFacts,
}

/// Loads the rows after a sequence number, `limit` at most, in the order of recording.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn page(
    conn: &mut PgConnection,
    after: i64,
    limit: i64,
) -> Result<Vec<RecordedObservation>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT id, at, source, tenant, employee_id, facts AS "facts: Json<StoredFacts>"
           FROM leaver.observations WHERE id > $1 ORDER BY id LIMIT $2"#,
        after,
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(RecordedObservation {
                id: row.id,
                at: row.at,
                key: employee_key(&row.source, row.tenant, row.employee_id)?,
                facts: row.facts.0,
            })
        })
        .collect()
}

/// Counts the linked accounts of each tenant of which no employee was observed, without those that Leaver deactivated.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn accounts_without_observation(
    conn: &mut PgConnection,
) -> Result<BTreeMap<Tenant, u64>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT e.tenant, count(DISTINCT e.account_id) AS "accounts!"
           FROM leaver.employees e
           LEFT JOIN (SELECT DISTINCT source, tenant, employee_id FROM leaver.observations) o
                  USING (source, tenant, employee_id)
           WHERE e.account_id IS NOT NULL AND e.deactivated_at IS NULL AND o.source IS NULL
           GROUP BY e.tenant"#
    )
    .fetch_all(conn)
    .await?;
    let counts = rows.into_iter().map(|row| {
        let accounts = u64::try_from(row.accounts).unwrap_or_default();
        (Tenant::new(row.tenant), accounts)
    });
    Ok(counts.collect())
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
