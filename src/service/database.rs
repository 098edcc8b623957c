//! How every part of Leaver connects to its database.

use std::time::Duration;

use anyhow::{anyhow, bail};
use secrecy::ExposeSecret;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};

use super::database_url;
use crate::config::Database;
use crate::db::connection::sessions;
use crate::db::error::redacted_message;

/// Returns how to connect to the configured database.
///
/// # Errors
/// Returns an error if none is configured, if its URL is not one of Postgres, or if nothing would verify the server.
pub fn connect_options(database: &Database) -> anyhow::Result<PgConnectOptions> {
    let Some(url) = &database.url else {
        let missing = database.missing.as_deref();
        bail!(
            "{}",
            missing.unwrap_or("database.url: no database is configured")
        );
    };
    database_url::parse(url.expose_secret(), database.tls)
}

/// Adds the name and the logging that all our connections have.
pub(super) fn with_session_settings(options: PgConnectOptions) -> PgConnectOptions {
    options
        .application_name("leaver")
        // A pooler may refuse it, and no statement of ours reads a float as text.
        .extra_float_digits(None)
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

/// Opens one connection, for a command, and checks that it keeps a session of its own.
///
/// # Errors
/// Returns why no connection could be made within 10 s, with the host, the port and the database, or that a pooler shares
/// sessions.
pub async fn connect(options: &PgConnectOptions) -> anyhow::Result<PgConnection> {
    let options = with_session_settings(options.clone());
    tokio::time::timeout(Duration::from_secs(10), sessions::open_checked(&options))
        .await
        .map_err(|_| {
            anyhow!(
                "no response from Postgres at {} within 10 s; check `database.url` (DATABASE_URL)",
                describe(&options)
            )
        })?
        .map_err(|error| {
            if sessions::is_shared_session(&error) {
                return anyhow!("{}: {}", describe(&options), redacted_message(&error));
            }
            anyhow!(
                "cannot connect to Postgres at {}: {}; check `database.url` (DATABASE_URL)",
                describe(&options),
                redacted_message(&error)
            )
        })
}
