//! The column `missing_since` of `leaver.employees`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use leaver_core::domain::SourceName;

/// Marks the records of one account that were reported before a complete read of all employees began and are not among
/// its ids. Rows that are locked elsewhere are left for the next read. Returns the number of rows.
///
/// # Errors
/// Returns the database's error; nothing was written then.
pub(crate) async fn mark(
    conn: &mut PgConnection,
    source: &SourceName,
    linked_account: &str,
    read: &[String],
    began: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let marked = sqlx::query!(
        "WITH known AS MATERIALIZED (
             SELECT e.tenant, e.employee_id
             FROM leaver.employees e
             WHERE e.source = $1 AND COALESCE(e.linked_account_id, '') = $2 AND e.missing_since IS NULL
         ), absent AS MATERIALIZED (
             SELECT tenant, employee_id FROM known
             EXCEPT
             SELECT t.tenant, k.employee_id
             FROM (SELECT DISTINCT tenant FROM known) AS t, unnest($3::text[]) AS k (employee_id)
         ), gone AS (
             SELECT e.source, e.tenant, e.employee_id
             FROM absent
             JOIN leaver.employees e ON (e.source, e.tenant, e.employee_id) = ($1, absent.tenant, absent.employee_id)
             WHERE e.missing_since IS NULL AND e.first_observed_at < $4 AND e.modified_at < $4
               AND COALESCE((e.facts->'status'->>'observed_at')::timestamptz, e.modified_at) < $4
             FOR UPDATE OF e SKIP LOCKED
         )
         UPDATE leaver.employees e SET missing_since = $4
         FROM gone
         WHERE (e.source, e.tenant, e.employee_id) = (gone.source, gone.tenant, gone.employee_id)",
        source.as_str(),
        linked_account,
        read,
        began,
    )
    .execute(conn)
    .await?;
    Ok(marked.rows_affected())
}

/// Returns whether employees of one account are known who are not deleted, not missing, and not among these ids.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn has_others(
    conn: &mut PgConnection,
    source: &SourceName,
    linked_account: &str,
    read: &[String],
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM leaver.employees e
               WHERE e.source = $1 AND COALESCE(e.linked_account_id, '') = $2 AND e.missing_since IS NULL
                 AND e.facts->'deleted'->>'value' IS DISTINCT FROM 'true'
                 AND e.employee_id <> ALL ($3)
           ) AS "has_others!""#,
        source.as_str(),
        linked_account,
        read,
    )
    .fetch_one(conn)
    .await
}
