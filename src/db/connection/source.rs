//! The servers of all connections of a service. They are read again when a server refuses the password.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use tracing::{info, warn};

use super::sessions::{self, OwnSession};
use super::{Servers, SessionTimeouts, usable};
use crate::db::error::is_authentication_failure;

/// Reads the servers where the operator keeps them.
type Read = dyn Fn() -> anyhow::Result<Servers> + Send + Sync;

/// How to connect, shared by everything that connects.
#[derive(Clone)]
pub struct ConnectSource(Arc<RwLock<State>>);

struct State {
    servers: Servers,
    read: Option<Arc<Read>>,
    /// The last problem that was logged.
    logged: Option<String>,
}

/// A new URL names another server or database than the current one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`database.url` names another server or database, and a running service changes only the role, the password and the certificates; restart it"
)]
pub struct AnotherDatabase;

impl ConnectSource {
    /// Reads the servers now, and again after each failure of authentication.
    ///
    /// # Errors
    /// Returns why they cannot be read now.
    pub fn reread(
        read: impl Fn() -> anyhow::Result<Servers> + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let servers = read()?;
        Ok(Self::with(&servers, Some(Arc::new(read))))
    }

    fn with(servers: &Servers, read: Option<Arc<Read>>) -> Self {
        Self(Arc::new(RwLock::new(State {
            servers: with_name(servers),
            read,
            logged: None,
        })))
    }

    /// Returns the current servers.
    #[must_use]
    pub fn current(&self) -> Servers {
        self.state().servers.clone()
    }

    /// Replaces the servers, and how they are read, by those of another source. Returns true if the options differ.
    ///
    /// # Errors
    /// Returns an error, and changes nothing, if the other names another database.
    pub fn adopt(&self, newer: &Self) -> Result<bool, AnotherDatabase> {
        let (servers, read) = {
            let newer = newer.state();
            (newer.servers.clone(), newer.read.clone())
        };
        let is_changed = self.replace(&servers)?;
        self.state_mut().read = read;
        Ok(is_changed)
    }

    /// Opens a connection to the first usable server. After a failure of authentication the servers are read again, and if they
    /// differ it is tried once more.
    ///
    /// # Errors
    /// Returns why no connection could be made.
    pub(crate) async fn open(
        &self,
        timeouts: SessionTimeouts,
    ) -> Result<PgConnection, sqlx::Error> {
        let (conn, _) = self.open_session(timeouts).await?;
        Ok(conn)
    }

    /// Does the same, and returns the session of the connection too.
    ///
    /// # Errors
    /// Returns why no connection could be made.
    pub(crate) async fn open_session(
        &self,
        timeouts: SessionTimeouts,
    ) -> Result<(PgConnection, OwnSession), sqlx::Error> {
        self.retried(|servers| async move { sessions::open(&servers, timeouts).await })
            .await
    }

    /// Opens a connection and checks by others that it keeps a session of its own.
    ///
    /// # Errors
    /// Returns [`SharedSession`](sessions::SharedSession), or why no connection could be made.
    pub(crate) async fn open_checked(&self) -> Result<PgConnection, sqlx::Error> {
        self.retried(|servers| async move { sessions::open_checked(&servers).await })
            .await
    }

    /// Returns the options with which a pool of sqlx may connect now.
    ///
    /// # Errors
    /// Returns why no server may be connected to.
    pub(crate) async fn usable(&self) -> Result<PgConnectOptions, sqlx::Error> {
        self.retried(|servers| async move { usable(&servers).await })
            .await
    }

    async fn retried<T, F: Future<Output = Result<T, sqlx::Error>>>(
        &self,
        attempt: impl Fn(Servers) -> F,
    ) -> Result<T, sqlx::Error> {
        let servers = self.current();
        match attempt(servers.clone()).await {
            Err(error) if self.has_changed_after(&error, &servers).await => {
                attempt(self.current()).await
            }
            done => done,
        }
    }

    /// Reads the servers again if the error is a failure of authentication. Returns true if the current ones differ from those
    /// that failed.
    async fn has_changed_after(&self, error: &sqlx::Error, failed: &Servers) -> bool {
        if !is_authentication_failure(error) {
            return false;
        }
        let read = self.state().read.clone();
        if let Some(read) = read {
            // A file may be on a network.
            let found = tokio::task::spawn_blocking(move || read()).await;
            let replaced = match found {
                Ok(Ok(servers)) => self.replace(&servers).map_err(|error| error.to_string()),
                Ok(Err(error)) => Err(format!("{error:#}")),
                Err(_) => return false,
            };
            self.log(replaced);
        }
        !is_same(&self.current(), failed)
    }

    fn replace(&self, servers: &Servers) -> Result<bool, AnotherDatabase> {
        let servers = with_name(servers);
        let mut state = self.state_mut();
        if targets(&state.servers) != targets(&servers) {
            return Err(AnotherDatabase);
        }
        let is_changed = !is_same(&state.servers, &servers);
        if is_changed {
            state.servers = servers;
        }
        Ok(is_changed)
    }

    /// Logs the result of reading again; a problem once until it changes.
    fn log(&self, replaced: Result<bool, String>) {
        let mut state = self.state_mut();
        match replaced {
            Ok(is_changed) => {
                state.logged = None;
                if is_changed {
                    info!(
                        "connection.source: authentication failed, and `database.url` was read again; connecting with the new one"
                    );
                }
            }
            Err(problem) if state.logged.as_ref() != Some(&problem) => {
                warn!(
                    problem,
                    "connection.source: authentication failed, and `database.url` cannot be read again; keeping the current one"
                );
                state.logged = Some(problem);
            }
            Err(_) => {}
        }
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Into<Servers>> From<S> for ConnectSource {
    /// The servers are never read again.
    fn from(servers: S) -> Self {
        Self::with(&servers.into(), None)
    }
}

impl From<&Self> for ConnectSource {
    fn from(source: &Self) -> Self {
        source.clone()
    }
}

impl fmt::Debug for ConnectSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The options hold the password.
        f.write_str("ConnectSource")
    }
}

/// Adds the name and the logging that all our connections have.
fn with_name(servers: &Servers) -> Servers {
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

/// Returns what names the database of each server: host, port, socket, name.
fn targets(servers: &Servers) -> impl PartialEq + use<> {
    let target = |options: &PgConnectOptions| {
        (
            options.get_host().to_owned(),
            options.get_port(),
            options.get_socket().cloned(),
            options.get_database().map(str::to_owned),
        )
    };
    servers.all().iter().map(target).collect::<Vec<_>>()
}

fn is_same(one: &Servers, other: &Servers) -> bool {
    // The type of the options has no comparison. Its URL has everything that a URL can set.
    let urls = |servers: &Servers| {
        let urls = servers.all().iter().map(ConnectOptions::to_url_lossy);
        urls.collect::<Vec<_>>()
    };
    urls(one) == urls(other) && one.must_write() == other.must_write()
}
