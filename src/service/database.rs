//! How every part of Leaver connects to its database.

use std::time::Duration;

use anyhow::{anyhow, bail};
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;

use super::database_url;
use crate::config::{Database, Environment};
use crate::db::connection::{ConnectSource, SessionTimeouts};
use crate::db::error::{Cause, redacted_message};

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
    let source = ConnectSource::from(options);
    let opened = source.open(SessionTimeouts::default());
    tokio::time::timeout(Duration::from_secs(10), opened)
        .await
        .map_err(|_| {
            anyhow!(
                "no response from Postgres at {} within 10 s; check `database.url` (DATABASE_URL)",
                describe(options)
            )
        })?
        .map_err(|error| {
            anyhow!(
                "cannot connect to Postgres at {}: {}; {}",
                describe(options),
                redacted_message(&error),
                what_to_do(&Cause::of(&error))
            )
        })
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
