//! Finds what reports cannot contain.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use leaver_core::domain::SourceName;

/// A restore of the database.
pub(super) struct Restore {
    pub(super) found_at: DateTime<Utc>,
    pub(super) known_until: DateTime<Utc>,
}

/// Numbers of things that are not in the roster yet.
pub(super) struct Unprocessed {
    pub(super) failed: i64,
    pub(super) pending: i64,
    pub(super) reads: i64,
}

/// Returns when the tables were made.
pub(super) async fn installed_at(
    conn: &mut PgConnection,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    // The migrator makes this table, so it is not there when queries are checked.
    sqlx::query_scalar("SELECT min(installed_on) FROM leaver._sqlx_migrations")
        .fetch_one(conn)
        .await
}

/// Returns the restores that may have lost rows from after a moment.
pub(super) async fn restores_since(
    conn: &mut PgConnection,
    from: DateTime<Utc>,
) -> Result<Vec<Restore>, sqlx::Error> {
    sqlx::query_as!(
        Restore,
        "SELECT found_at, known_until FROM leaver.restores WHERE known_until >= $1 ORDER BY id",
        from,
    )
    .fetch_all(conn)
    .await
}

/// Counts the employees of other sources than these.
pub(super) async fn employees_elsewhere(
    conn: &mut PgConnection,
    sources: &[SourceName],
) -> Result<i64, sqlx::Error> {
    let sources: Vec<String> = sources.iter().map(ToString::to_string).collect();
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM leaver.employees WHERE source <> ALL($1)"#,
        &sources,
    )
    .fetch_one(conn)
    .await
}

/// Counts deliveries of these sources that arrived before a moment and are not processed, and reads that are pending.
pub(super) async fn unprocessed(
    conn: &mut PgConnection,
    sources: &[SourceName],
    before: DateTime<Utc>,
) -> Result<Unprocessed, sqlx::Error> {
    let sources: Vec<String> = sources.iter().map(ToString::to_string).collect();
    sqlx::query_as!(
        Unprocessed,
        r#"SELECT (SELECT count(*) FROM leaver.deliveries
                   WHERE state = 'failed' AND source = ANY($1) AND received_at < $2) AS "failed!",
                  (SELECT count(*) FROM leaver.deliveries
                   WHERE state = 'pending' AND source = ANY($1) AND received_at < $2) AS "pending!",
                  (SELECT count(*) FROM leaver.pending_reads WHERE source = ANY($1) AND since < $2) AS "reads!""#,
        &sources,
        before,
    )
    .fetch_one(conn)
    .await
}
