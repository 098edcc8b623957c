//! Finds in `leaver.employees` who has an account.

use std::collections::BTreeSet;

use sqlx::PgConnection;
use sqlx::types::Json;

use crate::roster::facts_json::{StoredDeparture, StoredFacts};
use crate::roster::row::Row;
use leaver_core::domain::{AccountId, Employee, SourceName, Tenant, WorkEmail};

/// The e-mail of an account, and the source whose employees are searched for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AccountEmail {
    /// The source.
    pub source: SourceName,
    /// The account.
    pub account: AccountId,
    /// The e-mail of the account.
    pub email: WorkEmail,
    /// The tenant of the employees; `None` for any.
    pub tenant: Option<Tenant>,
}

/// Finds the employees of these sources that are linked to these accounts, inside the tenant of an account that has one.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn find_linked(
    conn: &mut PgConnection,
    sources: &[SourceName],
    accounts: &BTreeSet<AccountId>,
) -> Result<Vec<Employee>, sqlx::Error> {
    // Pair by pair: otherwise the planner may join all employees of a source, and look for the accounts among them.
    let pairs = || {
        let of = |account| sources.iter().map(move |source| (source, account));
        accounts.iter().flat_map(of)
    };
    let names: Vec<&str> = pairs().map(|(source, _)| source.as_str()).collect();
    let ids: Vec<&str> = pairs().map(|(_, account)| account.as_str()).collect();
    let tenants: Vec<Option<&str>> = pairs().map(|(_, account)| account.tenant()).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT e.source, e.tenant, e.employee_id, e.facts AS "facts: Json<StoredFacts>", e.account_id,
                  e.access_ends_at, e.deactivated_at, e.departure AS "departure: Json<StoredDeparture>",
                  e.blocked_since, e.blocked_retry_at, e.blocked_reason, e.without_account_since, e.missing_since,
                  e.linked_account_id, e.first_observed_at, e.last_delivery_id, e.modified_at,
                  e.number, e.revision, c.revision AS "confirmed_revision?", c.as_of AS "confirmed_as_of?",
                  c.observed_at AS "confirmed_observed_at?"
           FROM unnest($1::text[], $2::text[], $3::text[]) AS k (source, account_id, tenant)
           JOIN leaver.employees e ON (e.source, e.account_id) = (k.source, k.account_id)
                                  AND (k.tenant IS NULL OR e.tenant = k.tenant)
           LEFT JOIN LATERAL leaver.confirmation_of(e.source, e.number, e.revision) AS c ON true"#,
        &names as &[&str],
        &ids as &[&str],
        &tenants as &[Option<&str>],
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Row::into_employee).collect()
}

/// Finds the employees without a link who have the e-mail of an account. They are returned with the account as their link.
/// Without an e-mail it runs no statement.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn find_by_email(
    conn: &mut PgConnection,
    emails: &BTreeSet<AccountEmail>,
) -> Result<Vec<Employee>, sqlx::Error> {
    // The usual case: there is one source.
    if emails.is_empty() {
        return Ok(vec![]);
    }
    let each = || emails.iter();
    let sources: Vec<&str> = each().map(|a| a.source.as_str()).collect();
    let ids: Vec<&str> = each().map(|a| a.account.as_str()).collect();
    let addresses: Vec<&str> = each().map(|a| a.email.expose()).collect();
    let tenants: Vec<Option<&str>> = each()
        .map(|a| a.tenant.as_ref().map(Tenant::as_str))
        .collect();
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT e.source, e.tenant, e.employee_id, e.facts AS "facts: Json<StoredFacts>", k.account_id AS "account_id?",
                  e.access_ends_at, e.deactivated_at, e.departure AS "departure: Json<StoredDeparture>",
                  e.blocked_since, e.blocked_retry_at, e.blocked_reason, e.without_account_since, e.missing_since,
                  e.linked_account_id, e.first_observed_at, e.last_delivery_id, e.modified_at,
                  e.number, e.revision, c.revision AS "confirmed_revision?", c.as_of AS "confirmed_as_of?",
                  c.observed_at AS "confirmed_observed_at?"
           FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS k (source, account_id, work_email, tenant)
           JOIN leaver.employees e ON (e.work_email, e.source) = (k.work_email, k.source)
                                  AND e.account_id IS NULL AND (k.tenant IS NULL OR e.tenant = k.tenant)
           LEFT JOIN LATERAL leaver.confirmation_of(e.source, e.number, e.revision) AS c ON true"#,
        &sources as &[&str],
        &ids as &[&str],
        &addresses as &[&str],
        &tenants as &[Option<&str>],
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Row::into_employee).collect()
}
