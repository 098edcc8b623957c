//! Reads `leaver.employees` in key order, and finds which accounts its employees claim.

use sqlx::PgConnection;
use sqlx::types::Json;

use super::ClaimedAccounts;
use crate::db::employee_keys::KeyColumns;
use crate::roster::facts_json::{StoredDeparture, StoredFacts};
use crate::roster::row::Row;
use crate::roster::sharing::Sharing;
use leaver_core::domain::{Employee, EmployeeKey, SourceName};

/// Loads a page of the employees of these sources, in key order: those after `after`, or the first ones.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn entries_after(
    conn: &mut PgConnection,
    sources: &[SourceName],
    after: Option<&EmployeeKey>,
    limit: i64,
) -> Result<Vec<Employee>, sqlx::Error> {
    let sources: Vec<String> = sources.iter().map(ToString::to_string).collect();
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
           WHERE e.source = ANY($1) AND ($2::text IS NULL OR (e.source, e.tenant, e.employee_id) > ($2, $3, $4))
           ORDER BY e.source, e.tenant, e.employee_id
           LIMIT $5"#,
        &sources,
        after.map(|key| key.source.as_str()),
        after.map(|key| key.tenant.as_str()),
        after.map(|key| key.employee_id.as_str()),
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Row::into_employee).collect()
}

/// Loads employees, in key order. Rows are not locked.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn find(
    conn: &mut PgConnection,
    keys: &[EmployeeKey],
) -> Result<Vec<Employee>, sqlx::Error> {
    let columns = KeyColumns::of(keys);
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT e.source, e.tenant, e.employee_id, e.facts AS "facts: Json<StoredFacts>",
                  e.account_id, e.access_ends_at, e.deactivated_at, e.departure AS "departure: Json<StoredDeparture>",
                  e.blocked_since, e.blocked_retry_at, e.blocked_reason, e.without_account_since, e.missing_since,
                  e.linked_account_id, e.first_observed_at, e.last_delivery_id, e.modified_at,
                  e.number, e.revision, c.revision AS "confirmed_revision?", c.as_of AS "confirmed_as_of?",
                  c.observed_at AS "confirmed_observed_at?"
           FROM leaver.employees e
           JOIN unnest($1::text[], $2::text[], $3::text[]) AS k (source, tenant, employee_id)
                USING (source, tenant, employee_id)
           LEFT JOIN LATERAL leaver.confirmation_of(e.source, e.number, e.revision) AS c ON true
           ORDER BY e.source, e.tenant, e.employee_id"#,
        &columns.sources,
        &columns.tenants,
        &columns.employee_ids,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Row::into_employee).collect()
}

/// Finds those of these accounts and work e-mails that an employee has. The result may contain more.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn find_claimed_accounts(
    conn: &mut PgConnection,
    sharing: &Sharing,
    accounts: &[&str],
    emails: &[&str],
) -> Result<ClaimedAccounts, sqlx::Error> {
    let sources: Vec<String> = sharing.sources.iter().map(ToString::to_string).collect();
    let rows = sqlx::query!(
        "SELECT tenant, account_id, work_email FROM leaver.employees
         WHERE source = ANY($1) AND account_id = ANY($2)
         UNION ALL
         SELECT tenant, account_id, work_email FROM leaver.employees
         WHERE source = ANY($1) AND work_email = ANY($3)",
        &sources,
        accounts as &[&str],
        emails as &[&str],
    )
    .fetch_all(conn)
    .await?;
    let mut claimed = ClaimedAccounts::default();
    for row in rows {
        let tenant = row.tenant.filter(|_| sharing.within_tenant);
        let of_tenant = |text| (text, tenant.clone());
        claimed.account_ids.extend(row.account_id.map(of_tenant));
        claimed.work_emails.extend(row.work_email.map(of_tenant));
    }
    Ok(claimed)
}
