//! Queries on the sessions of the server.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::Limits;

/// One session of a server. A process id alone can be used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Backend {
    pid: i32,
    started_at: Option<DateTime<Utc>>,
}

/// A backend that is still there.
pub(super) struct Found {
    pub(super) backend: Backend,
    /// True while it executes a statement; also while a commit waits for a standby.
    pub(super) is_active: bool,
}

/// Returns the backend of this connection.
pub(super) async fn identify(conn: &mut PgConnection) -> Result<Backend, sqlx::Error> {
    sqlx::query_as!(
        Backend,
        r#"
        SELECT pid AS "pid!", backend_start AS started_at
        FROM pg_stat_activity
        WHERE pid = pg_backend_pid()
        "#
    )
    .fetch_one(conn)
    .await
}

/// Returns which of these backends are there and are ours. Behind a pooler one may serve another client now.
pub(super) async fn present(
    conn: &mut PgConnection,
    backends: &[Backend],
) -> Result<Vec<Found>, sqlx::Error> {
    let (pids, starts) = columns(backends);
    let found = sqlx::query!(
        r#"
        SELECT
            there.pid AS "pid!",
            there.backend_start AS started_at,
            COALESCE(there.state <> 'idle', true) AS "is_active!"
        FROM pg_stat_activity there
        JOIN unnest($1::integer[], $2::timestamptz[]) AS ours (pid, started_at)
            ON ours.pid = there.pid AND ours.started_at IS NOT DISTINCT FROM there.backend_start
        WHERE there.application_name = current_setting('application_name')
        "#,
        &pids,
        &starts as &[Option<DateTime<Utc>>],
    )
    .fetch_all(conn)
    .await?;
    let found = found.into_iter().map(|row| Found {
        backend: Backend {
            pid: row.pid,
            started_at: row.started_at,
        },
        is_active: row.is_active,
    });
    Ok(found.collect())
}

/// Ends these backends of our role.
pub(super) async fn terminate(
    conn: &mut PgConnection,
    backends: &[Backend],
) -> Result<(), sqlx::Error> {
    let (pids, starts) = columns(backends);
    sqlx::query!(
        r#"
        SELECT pg_terminate_backend(there.pid) AS "is_ended!"
        FROM pg_stat_activity there
        JOIN unnest($1::integer[], $2::timestamptz[]) AS ours (pid, started_at)
            ON ours.pid = there.pid AND ours.started_at IS NOT DISTINCT FROM there.backend_start
        WHERE there.application_name = current_setting('application_name')
            AND there.usename = current_user
        "#,
        &pids,
        &starts as &[Option<DateTime<Utc>>],
    )
    .fetch_all(conn)
    .await
    .map(drop)
}

fn columns(backends: &[Backend]) -> (Vec<i32>, Vec<Option<DateTime<Utc>>>) {
    backends.iter().map(|it| (it.pid, it.started_at)).unzip()
}

/// Returns the limits on our connections. Those of a role and a database do not apply to superusers.
pub(super) async fn find_limits(conn: &mut PgConnection) -> Result<Limits, sqlx::Error> {
    let row = sqlx::query!(
        r#"
        SELECT
            role.rolname AS "role!",
            database.datname AS "database!",
            CASE WHEN role.rolsuper OR role.rolconnlimit < 0 THEN NULL ELSE role.rolconnlimit END AS of_role,
            CASE WHEN role.rolsuper OR database.datconnlimit < 0 THEN NULL ELSE database.datconnlimit END AS of_database,
            current_setting('max_connections')::integer
                - current_setting('superuser_reserved_connections')::integer
                - COALESCE(current_setting('reserved_connections', true)::integer, 0) AS "of_server!",
            (
                SELECT count(*)::integer
                FROM pg_stat_activity
                WHERE application_name = current_setting('application_name')
                    AND datname = current_database()
                    AND pid <> pg_backend_pid()
            ) AS "other_sessions!"
        FROM pg_roles role, pg_database database
        WHERE role.rolname = session_user AND database.datname = current_database()
        "#
    )
    .fetch_one(conn)
    .await?;
    let count = |number: i32| u32::try_from(number).unwrap_or_default();
    Ok(Limits {
        role: row.role,
        database: row.database,
        of_role: row.of_role.map(count),
        of_database: row.of_database.map(count),
        of_server: count(row.of_server),
        other_sessions: count(row.other_sessions),
    })
}
