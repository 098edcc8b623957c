//! Reads `leaver.deliveries`.

use sqlx::PgConnection;

use super::DeliverySummary;

/// Returns at most `limit` deliveries, newest first, optionally of one state and one source.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn list(
    conn: &mut PgConnection,
    state: Option<&str>,
    source: Option<&str>,
    limit: i64,
) -> Result<Vec<DeliverySummary>, sqlx::Error> {
    sqlx::query_as!(
        DeliverySummary,
        r#"SELECT id, source, received_at, state, attempts, processed_at, body_bytes, reason, outcome
           FROM leaver.deliveries
           WHERE ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR source = $2)
           ORDER BY received_at DESC, id DESC
           LIMIT $3"#,
        state,
        source,
        limit,
    )
    .fetch_all(conn)
    .await
}
