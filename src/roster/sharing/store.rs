//! Finds in `leaver.employees` who has an account.

use sqlx::PgConnection;
use sqlx::types::Json;

use crate::roster::facts_json::{StoredDeparture, StoredFacts};
use crate::roster::row::Row;
use leaver_core::domain::{AccountId, Employee, SourceName, WorkEmail};

/// An account, and the source whose employees are searched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SharedAccount {
    /// The source.
    pub source: SourceName,
    /// The account.
    pub account: AccountId,
    /// The e-mail of the account, to also find employees without a link; `None` to find linked ones only.
    pub email: Option<WorkEmail>,
    /// The tenant of the employees; `None` for any.
    pub tenant: Option<String>,
}

/// Finds the employees that are linked to these accounts, and those without a link who have the e-mail. They are returned
/// with the account as their link.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn find(
    conn: &mut PgConnection,
    accounts: &[SharedAccount],
) -> Result<Vec<Employee>, sqlx::Error> {
    let sources: Vec<&str> = accounts.iter().map(|a| a.source.as_str()).collect();
    let ids: Vec<&str> = accounts.iter().map(|a| a.account.as_str()).collect();
    let emails: Vec<Option<&str>> = accounts
        .iter()
        .map(|a| a.email.as_ref().map(WorkEmail::expose))
        .collect();
    let tenants: Vec<Option<&str>> = accounts.iter().map(|a| a.tenant.as_deref()).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"WITH asked AS MATERIALIZED (
               SELECT DISTINCT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
                                 AS k (source, account_id, work_email, tenant)
           ), sharing AS MATERIALIZED (
               SELECT e.source, e.tenant, e.employee_id, k.account_id
               FROM (SELECT DISTINCT source, account_id, tenant FROM asked) AS k
               JOIN leaver.employees e ON e.source = k.source AND e.account_id = k.account_id
                                      AND (k.tenant IS NULL OR e.tenant = k.tenant)
               UNION
               SELECT e.source, e.tenant, e.employee_id, k.account_id
               FROM asked k
               JOIN leaver.employees e ON e.work_email = k.work_email AND e.source = k.source
                                      AND e.account_id IS NULL AND (k.tenant IS NULL OR e.tenant = k.tenant)
           )
           SELECT e.source AS "source!", e.tenant AS "tenant!", e.employee_id AS "employee_id!",
                  e.facts AS "facts!: Json<StoredFacts>", k.account_id AS "account_id?",
                  e.access_ends_at, e.deactivated_at, e.departure AS "departure: Json<StoredDeparture>",
                  e.blocked_since, e.blocked_retry_at, e.blocked_reason, e.without_account_since, e.missing_since,
                  e.linked_account_id, e.first_observed_at AS "first_observed_at!", e.last_delivery_id,
                  e.modified_at AS "modified_at!"
           FROM sharing k
           JOIN leaver.employees e USING (source, tenant, employee_id)"#,
        &sources as &[&str],
        &ids as &[&str],
        &emails as &[Option<&str>],
        &tenants as &[Option<&str>],
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Row::into_employee).collect()
}
