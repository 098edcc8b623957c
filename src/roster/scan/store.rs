//! Reads `leaver.employees` in key order, and finds which accounts its employees claim.

use sqlx::PgConnection;
use sqlx::types::Json;

use super::ClaimedAccounts;
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
        r#"SELECT source, tenant, employee_id, facts AS "facts: Json<StoredFacts>",
                  account_id, access_ends_at, deactivated_at, departure AS "departure: Json<StoredDeparture>",
                  blocked_since, blocked_retry_at, blocked_reason, without_account_since, missing_since,
                  linked_account_id, first_observed_at, last_delivery_id, modified_at
           FROM leaver.employees
           WHERE source = ANY($1) AND ($2::text IS NULL OR (source, tenant, employee_id) > ($2, $3, $4))
           ORDER BY source, tenant, employee_id
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
