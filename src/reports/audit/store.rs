//! Reads `leaver.audit` page by page.

use sqlx::PgConnection;

use super::{AuditFilter, AuditLine};
use crate::db::employee_keys::KeyColumns;
use crate::reports::period::Period;

/// Makes all further statements of a transaction read one state of the database. They only read, and may pause for long.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn begin_snapshot(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;
         SET LOCAL idle_in_transaction_session_timeout = 0",
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Loads the entries of a period after a sequence number, oldest first.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn page(
    conn: &mut PgConnection,
    period: &Period,
    filter: &AuditFilter,
    after: i64,
    limit: i64,
) -> Result<Vec<AuditLine>, sqlx::Error> {
    let scope = &filter.scope;
    let person = scope.person.as_ref();
    let keys = person.map(|person| KeyColumns::of(&person.keys));
    let keys = keys.unwrap_or_default();
    sqlx::query_as!(
        AuditLine,
        "SELECT id, at, action, source, tenant, employee_id, account_id, reason, actor, os_user, host, database_role,
                delivery_id
         FROM leaver.audit
         WHERE id > $1 AND at >= $2 AND at < $3
           AND ($4::text IS NULL OR source = $4)
           AND ($5::text IS NULL OR tenant = $5)
           AND ($6::text IS NULL OR action = $6)
           AND ($7::text IS NULL OR account_id = $7)
           AND ($8::text IS NULL OR employee_id = $8
                OR (source, tenant, employee_id) IN (SELECT * FROM unnest($9::text[], $10::text[], $11::text[])))
         ORDER BY id
         LIMIT $12",
        after,
        period.from,
        period.to,
        scope.source.as_deref(),
        scope.tenant.as_deref(),
        filter.action.as_deref(),
        filter.account.as_deref(),
        person.map(|person| person.employee_id.as_str()),
        &keys.sources,
        &keys.tenants,
        &keys.employee_ids,
        limit,
    )
    .fetch_all(conn)
    .await
}
