//! How every part of Leaver connects to its database.

use std::str::FromStr;
use std::time::Duration;

use anyhow::{anyhow, bail};
use secrecy::ExposeSecret;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};

use crate::config::Database;
use crate::db::error::redacted_message;

/// Returns how to connect to the configured database.
///
/// # Errors
/// Returns an error if none is configured, or its URL is not one of Postgres.
pub fn connect_options(database: &Database) -> anyhow::Result<PgConnectOptions> {
    let Some(url) = &database.url else {
        let missing = database.missing.as_deref();
        bail!(
            "{}",
            missing.unwrap_or("database.url: no database is configured")
        );
    };
    let url = url.expose_secret();
    // The parser accepts any scheme, and its error may quote the URL, which holds a password.
    let schemes = ["postgres://", "postgresql://"];
    let parsed = PgConnectOptions::from_str(url).ok();
    parsed
        .filter(|_| schemes.iter().any(|scheme| url.starts_with(scheme)))
        .ok_or_else(|| anyhow!("database.url: not a Postgres URL; it should look like postgres://user:password@host:5432/database"))
}

/// Adds the settings that all our connections have.
pub(super) fn with_session_settings(options: PgConnectOptions) -> PgConnectOptions {
    options
        .application_name("leaver")
        .options([
            ("statement_timeout", "30s"),
            // Our statements end before compilation would pay off.
            ("jit", "off"),
            // A count of the safeguard must see what committed before its lock. Under a snapshot it would not.
            ("default_transaction_isolation", "read committed"),
            ("idle_in_transaction_session_timeout", "30s"),
            // Messages of the application's triggers may hold personal data, which must not reach our log.
            ("client_min_messages", "error"),
            // Postgres detects a dead client only by these probes. Until then it keeps the client's advisory locks, so no
            // other replica takes over: half a minute, instead of two hours by default.
            ("tcp_keepalives_idle", "15"),
            ("tcp_keepalives_interval", "5"),
            ("tcp_keepalives_count", "3"),
        ])
        .log_statements(tracing::log::LevelFilter::Trace)
        .log_slow_statements(tracing::log::LevelFilter::Debug, Duration::from_secs(5))
}

/// Names the server and the database, without user and password.
fn describe(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or("(default)");
    match options.get_socket() {
        Some(socket) => format!("socket {}, database {database}", socket.display()),
        None => format!(
            "{}:{}, database {database}",
            options.get_host(),
            options.get_port()
        ),
    }
}

/// Opens one connection, for a command.
///
/// # Errors
/// Returns why no connection could be made within 10 s, with the host, the port and the database.
pub async fn connect(options: &PgConnectOptions) -> anyhow::Result<PgConnection> {
    let options = with_session_settings(options.clone());
    tokio::time::timeout(Duration::from_secs(10), options.connect())
        .await
        .map_err(|_| {
            anyhow!(
                "no response from Postgres at {} within 10 s; check `database.url` (DATABASE_URL)",
                describe(&options)
            )
        })?
        .map_err(|error| {
            anyhow!(
                "cannot connect to Postgres at {}: {}; check `database.url` (DATABASE_URL)",
                describe(&options),
                redacted_message(&error)
            )
        })
}
