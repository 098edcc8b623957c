//! The session settings, and the role of the server.

use std::fmt::Write as _;

use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::{SEARCH_PATH, SessionTimeouts};

/// Reads the server process and the mark of a session. The names are qualified, since the search path may not be in force.
macro_rules! session {
    () => {
        "SELECT pg_catalog.pg_backend_pid() AS pid,
                coalesce(pg_catalog.current_setting('leaver.session', true), '') AS mark;"
    };
}

const SETTINGS: [(&str, &str); 7] = [
    // Our statements end before compilation would pay off.
    ("jit", "off"),
    // A count of the safeguard must see what committed before its lock. Under a snapshot it would not.
    ("default_transaction_isolation", "read committed"),
    // Messages of the application's triggers may hold personal data, which must not reach our log.
    ("client_min_messages", "error"),
    // Postgres detects a dead client only by these probes. Until then it keeps the client's advisory locks, so no
    // other replica takes over: half a minute, instead of two hours by default.
    ("tcp_keepalives_idle", "15"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
    // Keepalives are not sent while a response is not acknowledged. This is the limit for that, in milliseconds.
    ("tcp_user_timeout", "30000"),
];

/// The server process that answers a statement, and the mark of its session; empty without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) pid: i32,
    pub(super) mark: String,
}

/// Applies the session settings to a new connection, and marks its session. Returns the session as it was before.
///
/// # Errors
/// Returns the database's error. The connection must be closed then.
pub(super) async fn begin(
    conn: &mut PgConnection,
    timeouts: SessionTimeouts,
    mark: &str,
) -> Result<Session, sqlx::Error> {
    // SET looks up no function and no operator, so nothing that others have created can run before the path is in force.
    let mut statements = format!("SET search_path = {SEARCH_PATH};");
    for (name, limit) in [
        ("statement_timeout", timeouts.statement),
        (
            "idle_in_transaction_session_timeout",
            timeouts.idle_in_transaction,
        ),
    ] {
        // 0 would mean no limit.
        let _ = write!(statements, " SET {name} = {};", limit.as_millis().max(1));
    }
    for (name, value) in SETTINGS {
        let _ = write!(statements, " SET {name} = '{value}';");
    }
    let _ = write!(statements, "{} SET leaver.session = '{mark}';", session!());
    read(conn, statements).await
}

/// Returns the session that answers now.
pub(super) async fn session(conn: &mut PgConnection) -> Result<Session, sqlx::Error> {
    read(conn, session!().to_owned()).await
}

/// Begins a transaction, and returns the session that it is in.
pub(super) async fn session_of_transaction(
    conn: &mut PgConnection,
) -> Result<Session, sqlx::Error> {
    read(conn, format!("BEGIN; {}", session!())).await
}

/// Ends the transaction.
pub(super) async fn end_transaction(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("ROLLBACK").execute(conn).await.map(drop)
}

/// Runs statements of which one returns a session. Without the extended protocol: old poolers do not support it in all modes.
async fn read(conn: &mut PgConnection, statements: String) -> Result<Session, sqlx::Error> {
    let row = sqlx::raw_sql(AssertSqlSafe(statements))
        .fetch_one(conn)
        .await?;
    Ok(Session {
        pid: row.try_get("pid")?,
        mark: row.try_get("mark")?,
    })
}

/// The role of a server.
pub(super) enum Role {
    /// It accepts writes.
    Writable,
    /// It is a standby.
    InRecovery,
    /// Sessions are read only by a setting.
    ReadOnly,
}

/// Returns the role of the server.
///
/// # Errors
/// Returns the database's error.
pub(super) async fn role(conn: &mut PgConnection) -> Result<Role, sqlx::Error> {
    // Not prepared: a pooler may forward the next statement to another session.
    let row = sqlx::raw_sql(
        "SELECT pg_catalog.pg_is_in_recovery() AS in_recovery,
                pg_catalog.current_setting('transaction_read_only') AS read_only",
    )
    .fetch_one(conn)
    .await?;
    Ok(if row.try_get("in_recovery")? {
        Role::InRecovery
    } else if row.try_get::<String, _>("read_only")? == "on" {
        Role::ReadOnly
    } else {
        Role::Writable
    })
}
