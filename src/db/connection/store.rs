//! The session settings.

use std::fmt::Write as _;

use sqlx::{AssertSqlSafe, PgConnection};

use super::{SEARCH_PATH, SessionTimeouts};

const SETTINGS: [(&str, &str); 6] = [
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
];

/// Applies the session settings to a new connection.
///
/// # Errors
/// Returns the database's error. The connection must be closed then.
pub(crate) async fn apply_settings(
    conn: &mut PgConnection,
    timeouts: SessionTimeouts,
) -> Result<(), sqlx::Error> {
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
    sqlx::raw_sql(AssertSqlSafe(statements))
        .execute(conn)
        .await?;
    Ok(())
}

/// Returns whether the server is a standby.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn is_in_recovery(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT pg_is_in_recovery() AS "standby!""#)
        .fetch_one(conn)
        .await
}
