//! Finds due employees in `leaver.employees`.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;

use crate::db::employee_keys::KeyColumns;
use crate::roster::facts_json::{StoredDeparture, StoredFacts};
use crate::roster::row::Row;
use leaver_core::domain::{Employee, EmployeeKey, SourceName};

/// Loads and locks employees whose scheduled access end has come, or whose blocked deactivation is tried again, oldest first.
/// Skips these employees, rows that are locked elsewhere, and sources that are not configured.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn lock(
    conn: &mut PgConnection,
    sources: &[SourceName],
    now: DateTime<Utc>,
    without: &BTreeSet<EmployeeKey>,
    limit: i64,
) -> Result<Vec<Employee>, sqlx::Error> {
    let sources: Vec<String> = sources.iter().map(ToString::to_string).collect();
    let without = KeyColumns::of(without);
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT source, tenant, employee_id, facts AS "facts: Json<StoredFacts>",
                  account_id, access_ends_at, deactivated_at, departure AS "departure: Json<StoredDeparture>",
                  blocked_since, blocked_retry_at, blocked_reason, without_account_since, missing_since,
                  linked_account_id, first_observed_at, last_delivery_id, modified_at
           FROM leaver.employees
           WHERE COALESCE(blocked_retry_at, access_ends_at) <= $1 AND source = ANY($3)
             AND (source, tenant, employee_id) NOT IN (SELECT * FROM unnest($4::text[], $5::text[], $6::text[]))
           ORDER BY COALESCE(blocked_retry_at, access_ends_at)
           LIMIT $2
           FOR UPDATE SKIP LOCKED"#,
        now,
        limit,
        &sources,
        &without.sources,
        &without.tenants,
        &without.employee_ids,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Row::into_employee).collect()
}

/// Finds the next scheduled access end, or the next attempt at a blocked one, of these sources.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn next_at(
    conn: &mut PgConnection,
    sources: &[SourceName],
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    let sources: Vec<String> = sources.iter().map(ToString::to_string).collect();
    sqlx::query_scalar!(
        "SELECT COALESCE(blocked_retry_at, access_ends_at) FROM leaver.employees
         WHERE COALESCE(blocked_retry_at, access_ends_at) IS NOT NULL AND source = ANY($1)
         ORDER BY COALESCE(blocked_retry_at, access_ends_at) LIMIT 1",
        &sources,
    )
    .fetch_optional(conn)
    .await
    .map(Option::flatten)
}
