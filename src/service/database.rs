//! How every part of Leaver connects to its database.

use std::time::Duration;

use anyhow::{anyhow, bail};
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgConnection;

use super::database_url;
use crate::config::{Database, Environment};
use crate::db::connection::sessions::is_shared_session;
use crate::db::connection::{ConnectSource, Servers};
use crate::db::error::{Cause, redacted_message};

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

/// Returns how a process that runs for long connects: the URL is read again when authentication fails.
///
/// # Errors
/// Returns an error if there is no usable URL now.
pub fn connect_source(database: &Database, env: &Environment) -> anyhow::Result<ConnectSource> {
    // The first read of the settings has the better error for a URL that is missing.
    connect_options(database)?;
    let (database, env) = (database.clone(), env.clone());
    ConnectSource::reread(move || {
        let url: SecretString = database
            .read_url(&env)
            .map_err(|problem| anyhow!(problem))?;
        database_url::parse(url.expose_secret(), database.tls)
    })
}

/// Names the servers and the database, without user and password.
#[must_use]
pub(crate) fn describe(servers: &Servers) -> String {
    let first = servers.all().first();
    let database = first.and_then(|options| options.get_database());
    format!("{servers}, database {}", database.unwrap_or("(default)"))
}

/// Opens one connection, for a command, and checks that it keeps a session of its own.
///
/// # Errors
/// Returns why no connection could be made within 10 s, with the hosts, the ports and the database, or that a pooler shares
/// sessions.
pub async fn connect(database: impl Into<ConnectSource>) -> anyhow::Result<PgConnection> {
    let source = database.into();
    let servers = source.current();
    let connected = tokio::time::timeout(Duration::from_secs(10), source.open_checked()).await;
    match connected {
        Ok(Ok(conn)) => Ok(conn),
        Ok(Err(error)) if is_shared_session(&error) => Err(anyhow!(
            "{}: {}",
            describe(&servers),
            redacted_message(&error)
        )),
        Ok(Err(error)) => Err(anyhow!(
            "cannot connect to Postgres at {}: {}; {}",
            describe(&servers),
            redacted_message(&error),
            what_to_do(&Cause::of(&error))
        )),
        Err(_) => Err(anyhow!(
            "no response from Postgres at {} within 10 s; check `database.url` (DATABASE_URL)",
            describe(&servers)
        )),
    }
}

/// Returns what to do about a connection that could not be made. Only some causes lie in the URL.
fn what_to_do(cause: &Cause) -> String {
    match cause {
        Cause::NotReachable(_) | Cause::Other(_) => {
            "check `database.url` (DATABASE_URL)".to_owned()
        }
        cause => cause.advice(),
    }
}
