//! Ends of access that were carried out: rows of `leaver.changes`, each with who did it and when access returned.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::db::employee_keys::KeyColumns;
use crate::reports::period::Period;
use leaver_core::domain::EmployeeKey;

/// An end of access.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) source: String,
    pub(super) tenant: String,
    pub(super) employee_id: String,
    pub(super) account_id: String,
    pub(super) cause: String,
    pub(super) actor: Option<String>,
    pub(super) approved_by: Option<String>,
    pub(super) at: DateTime<Utc>,
    pub(super) effective_at: Option<DateTime<Utc>>,
    pub(super) provider_at: Option<DateTime<Utc>>,
    pub(super) received_at: Option<DateTime<Utc>>,
    pub(super) returned_at: Option<DateTime<Utc>>,
    pub(super) is_undone: bool,
}

/// Loads all ends of access of these employees, oldest first for each.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn ends_of(
    conn: &mut PgConnection,
    keys: &[EmployeeKey],
) -> Result<Vec<End>, sqlx::Error> {
    let columns = KeyColumns::of(keys);
    sqlx::query_as!(
        End,
        r#"SELECT c.source, c.tenant, c.employee_id, c.account_id, c.cause, b.actor AS "actor?",
                  h.closed_by AS "approved_by?", c.at, c.effective_at, c.provider_at, c.received_at,
                  r.at AS "returned_at?", c.undone_by IS NOT NULL AS "is_undone!"
           FROM leaver.changes c
           JOIN unnest($1::text[], $2::text[], $3::text[]) AS k (source, tenant, employee_id)
                USING (source, tenant, employee_id)
           LEFT JOIN leaver.batches b ON b.id = c.batch_id
           LEFT JOIN LATERAL (
               SELECT h.closed_by FROM leaver.holds h
               WHERE (h.source, h.tenant, h.employee_id) = (c.source, c.tenant, c.employee_id)
                 AND h.state = 'approved' AND h.requested_action = 'deactivate'
                 AND h.closed_at BETWEEN c.at - interval '1 minute' AND c.at + interval '1 minute'
               ORDER BY h.id DESC LIMIT 1
           ) h ON true
           LEFT JOIN LATERAL (
               SELECT r.at FROM leaver.changes r
               WHERE r.account_id = c.account_id AND r.direction = 'reactivated' AND r.id > c.id
                 AND (r.source, r.tenant, r.employee_id) = (c.source, c.tenant, c.employee_id)
               ORDER BY r.id LIMIT 1
           ) r ON true
           WHERE c.direction = 'deactivated'
           ORDER BY c.id"#,
        &columns.sources,
        &columns.tenants,
        &columns.employee_ids,
    )
    .fetch_all(conn)
    .await
}

/// Loads the ends of access in a period that belong to no employee of the roster, oldest first: `leaver end` on an account
/// of no known employee.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn ends_without_employee(
    conn: &mut PgConnection,
    period: &Period,
) -> Result<Vec<End>, sqlx::Error> {
    sqlx::query_as!(
        End,
        r#"SELECT c.source, c.tenant, c.employee_id, c.account_id, c.cause, b.actor AS "actor?",
                  NULL AS approved_by, c.at, c.effective_at, c.provider_at, c.received_at,
                  r.at AS "returned_at?", c.undone_by IS NOT NULL AS "is_undone!"
           FROM leaver.changes c
           LEFT JOIN leaver.batches b ON b.id = c.batch_id
           LEFT JOIN LATERAL (
               SELECT r.at FROM leaver.changes r
               WHERE r.account_id = c.account_id AND r.direction = 'reactivated' AND r.id > c.id
               ORDER BY r.id LIMIT 1
           ) r ON true
           WHERE c.direction = 'deactivated' AND c.at >= $1 AND c.at < $2
             AND NOT EXISTS (SELECT FROM leaver.employees e
                             WHERE (e.source, e.tenant, e.employee_id) = (c.source, c.tenant, c.employee_id))
           ORDER BY c.id"#,
        period.from,
        period.to,
    )
    .fetch_all(conn)
    .await
}
