//! Reads `leaver.audit` page by page.

use sqlx::PgConnection;

use super::{AuditFilter, AuditLine};
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
           AND ($8::text[] IS NULL OR employee_id = ANY($8))
         ORDER BY id
         LIMIT $9",
        after,
        period.from,
        period.to,
        filter.source.as_deref(),
        filter.tenant.as_deref(),
        filter.action.as_deref(),
        filter.account.as_deref(),
        filter.employee_ids.as_deref(),
        limit,
    )
    .fetch_all(conn)
    .await
}
