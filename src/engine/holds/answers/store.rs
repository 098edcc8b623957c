//! Reads the answers in `leaver.holds`.

use sqlx::PgConnection;

use super::Answer;
use leaver_core::domain::EmployeeKey;

/// Returns the last answer about an employee.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn last(
    conn: &mut PgConnection,
    key: &EmployeeKey,
) -> Result<Option<Answer>, sqlx::Error> {
    sqlx::query_as!(
        Answer,
        r#"SELECT id AS hold, opened_at < closed_at AS "was_asked!", state = 'approved' AS "is_approved!", closed_at AS "at!",
                  closed_by AS "by!", requested_action, reason
           FROM leaver.holds
           WHERE source = $1 AND tenant = $2 AND employee_id = $3 AND state IN ('approved', 'rejected')
                 AND closed_at IS NOT NULL AND closed_by IS NOT NULL
           ORDER BY closed_at DESC, id DESC LIMIT 1"#,
        key.source.as_str(),
        key.tenant.as_str(),
        key.employee_id.as_str(),
    )
    .fetch_optional(conn)
    .await
}
