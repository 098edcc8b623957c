//! How every part of Leaver connects to its database.

use std::time::Duration;

use anyhow::{anyhow, bail};
use secrecy::ExposeSecret;
use sqlx::{ConnectOptions, PgConnection};

use super::database_url;
use crate::config::Database;
use crate::db::connection::{Servers, sessions};
use crate::db::error::redacted_message;

/// Returns the servers of the configured database.
///
/// # Errors
/// Returns an error if none is configured, if its URL is not one of Postgres, if a file for TLS cannot be used, or if nothing
/// would verify a server.
pub fn connect_options(database: &Database) -> anyhow::Result<Servers> {
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
pub(super) fn with_session_settings(servers: &Servers) -> Servers {
    servers.map(|options| {
        let options = match options.get_application_name() {
            Some(_) => options,
            None => options.application_name("leaver"),
        };
        options
            // A pooler may refuse it, and no statement of ours reads a float as text.
            .extra_float_digits(None)
            .log_statements(tracing::log::LevelFilter::Trace)
            .log_slow_statements(tracing::log::LevelFilter::Debug, Duration::from_secs(5))
    })
}

/// Names the servers and the database, without user and password.
fn describe(servers: &Servers) -> String {
    let first = servers.all().first();
    let database = first.and_then(|options| options.get_database());
    format!("{servers}, database {}", database.unwrap_or("(default)"))
}

/// Opens one connection, for a command, and checks that it keeps a session of its own.
///
/// # Errors
/// Returns why no connection could be made within 10 s, with the hosts, the ports and the database, or that a pooler shares
/// sessions.
pub async fn connect(servers: impl Into<Servers>) -> anyhow::Result<PgConnection> {
    let servers = with_session_settings(&servers.into());
    let connecting = sessions::open_checked(&servers);
    let connected = tokio::time::timeout(Duration::from_secs(10), connecting).await;
    match connected {
        Ok(Ok(conn)) => Ok(conn),
        Ok(Err(error)) if sessions::is_shared_session(&error) => Err(anyhow!(
            "{}: {}",
            describe(&servers),
            redacted_message(&error)
        )),
        Ok(Err(error)) => Err(anyhow!(
            "cannot connect to Postgres at {}: {}; check `database.url` (DATABASE_URL)",
            describe(&servers),
            redacted_message(&error)
        )),
        Err(_) => Err(anyhow!(
            "no response from Postgres at {} within 10 s; check `database.url` (DATABASE_URL)",
            describe(&servers)
        )),
    }
}
