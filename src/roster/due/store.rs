//! Finds due employees in `leaver.employees`.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;

use crate::db::employee_keys::{KeyColumns, source_name};
use crate::roster::confirmations;
use crate::roster::facts_json::{StoredDeparture, StoredFacts};
use crate::roster::row::Row;
use leaver_core::domain::{AccountId, Employee, EmployeeKey, SourceName, Tenant};

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
    confirmations::store::keep_out(conn).await?;
    let sources: Vec<String> = sources.iter().map(ToString::to_string).collect();
    let without = KeyColumns::of(without);
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT e.source, e.tenant, e.employee_id, e.facts AS "facts: Json<StoredFacts>",
                  e.account_id, e.access_ends_at, e.deactivated_at, e.departure AS "departure: Json<StoredDeparture>",
                  e.blocked_since, e.blocked_retry_at, e.blocked_reason, e.without_account_since, e.missing_since,
                  e.linked_account_id, e.first_observed_at, e.last_delivery_id, e.modified_at,
                  e.number, e.revision, c.revision AS "confirmed_revision?", c.as_of AS "confirmed_as_of?",
                  c.observed_at AS "confirmed_observed_at?"
           FROM leaver.employees e
           LEFT JOIN LATERAL leaver.confirmation_of(e.source, e.number, e.revision) AS c ON true
           WHERE COALESCE(e.blocked_retry_at, e.access_ends_at) <= $1 AND e.source = ANY($3)
             AND (e.source, e.tenant, e.employee_id) NOT IN (SELECT * FROM unnest($4::text[], $5::text[], $6::text[]))
           ORDER BY COALESCE(e.blocked_retry_at, e.access_ends_at)
           LIMIT $2
           FOR UPDATE OF e SKIP LOCKED"#,
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

/// A scheduled access end of an employee with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScheduledEnd {
    /// The source.
    pub source: SourceName,
    /// The tenant.
    pub tenant: Tenant,
    /// The account.
    pub account: AccountId,
    /// When its access ends.
    pub at: DateTime<Utc>,
}

/// Returns the scheduled access ends of these sources after `from` and up to `until`, the earliest first. An end that is
/// blocked, and one without an account, is left out.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn scheduled_between(
    conn: &mut PgConnection,
    sources: &[SourceName],
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Vec<ScheduledEnd>, sqlx::Error> {
    let sources: Vec<String> = sources.iter().map(ToString::to_string).collect();
    let rows = sqlx::query!(
        r#"SELECT source, tenant, account_id AS "account_id!", access_ends_at AS "access_ends_at!"
           FROM leaver.employees
           WHERE access_ends_at > $1 AND access_ends_at <= $2 AND source = ANY($3)
             AND account_id IS NOT NULL AND blocked_since IS NULL
           ORDER BY access_ends_at, source, tenant, employee_id"#,
        from,
        until,
        &sources,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(ScheduledEnd {
                source: source_name(&row.source)?,
                tenant: Tenant::new(row.tenant),
                account: AccountId::new(row.account_id),
                at: row.access_ends_at,
            })
        })
        .collect()
}
