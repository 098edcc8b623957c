//! The options of all connections of a service. They are read again when the server refuses the password.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use tracing::{info, warn};

use super::{SessionTimeouts, open_with};
use crate::db::error::is_authentication_failure;

/// Reads the options where the operator keeps them.
type Read = dyn Fn() -> anyhow::Result<PgConnectOptions> + Send + Sync;

/// How to connect, shared by everything that connects.
#[derive(Clone)]
pub struct ConnectSource(Arc<RwLock<State>>);

struct State {
    options: PgConnectOptions,
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
    /// Reads the options now, and again after each failure of authentication.
    ///
    /// # Errors
    /// Returns why they cannot be read now.
    pub fn reread(
        read: impl Fn() -> anyhow::Result<PgConnectOptions> + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let options = read()?;
        Ok(Self::with(options, Some(Arc::new(read))))
    }

    fn with(options: PgConnectOptions, read: Option<Arc<Read>>) -> Self {
        Self(Arc::new(RwLock::new(State {
            options: with_name(options),
            read,
            logged: None,
        })))
    }

    /// Returns the current options.
    #[must_use]
    pub fn current(&self) -> PgConnectOptions {
        self.state().options.clone()
    }

    /// Replaces the options, and how they are read, by those of another source. Returns true if the options differ.
    ///
    /// # Errors
    /// Returns an error, and changes nothing, if the other names another database.
    pub fn adopt(&self, newer: &Self) -> Result<bool, AnotherDatabase> {
        let (options, read) = {
            let newer = newer.state();
            (newer.options.clone(), newer.read.clone())
        };
        let is_changed = self.replace(options)?;
        self.state_mut().read = read;
        Ok(is_changed)
    }

    /// Opens a connection. After a failure of authentication the options are read again, and if they differ it is tried once
    /// more.
    ///
    /// # Errors
    /// Returns why no connection could be made.
    pub(crate) async fn open(
        &self,
        timeouts: SessionTimeouts,
    ) -> Result<PgConnection, sqlx::Error> {
        let options = self.current();
        match open_with(&options, timeouts).await {
            Err(error) if self.has_changed_after(&error, &options).await => {
                open_with(&self.current(), timeouts).await
            }
            done => done,
        }
    }

    /// Reads the options again if the error is a failure of authentication. Returns true if the current ones differ from those
    /// that failed.
    pub(crate) async fn has_changed_after(
        &self,
        error: &sqlx::Error,
        failed: &PgConnectOptions,
    ) -> bool {
        if !is_authentication_failure(error) {
            return false;
        }
        let read = self.state().read.clone();
        if let Some(read) = read {
            // A file may be on a network.
            let found = tokio::task::spawn_blocking(move || read()).await;
            let replaced = match found {
                Ok(Ok(options)) => self.replace(options).map_err(|error| error.to_string()),
                Ok(Err(error)) => Err(format!("{error:#}")),
                Err(_) => return false,
            };
            self.log(replaced);
        }
        !is_same(&self.current(), failed)
    }

    fn replace(&self, options: PgConnectOptions) -> Result<bool, AnotherDatabase> {
        let options = with_name(options);
        let mut state = self.state_mut();
        if target(&state.options) != target(&options) {
            return Err(AnotherDatabase);
        }
        let is_changed = !is_same(&state.options, &options);
        state.options = options;
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

impl From<PgConnectOptions> for ConnectSource {
    /// The options are never read again.
    fn from(options: PgConnectOptions) -> Self {
        Self::with(options, None)
    }
}

impl From<&PgConnectOptions> for ConnectSource {
    fn from(options: &PgConnectOptions) -> Self {
        options.clone().into()
    }
}

impl fmt::Debug for ConnectSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The options hold the password.
        f.write_str("ConnectSource")
    }
}

/// Adds the name and the logging that all our connections have.
fn with_name(options: PgConnectOptions) -> PgConnectOptions {
    options
        .application_name("leaver")
        // A pooler may refuse it, and no statement of ours reads a float as text.
        .extra_float_digits(None)
        .log_statements(tracing::log::LevelFilter::Trace)
        .log_slow_statements(tracing::log::LevelFilter::Debug, Duration::from_secs(5))
}

/// Returns what names the database: host, port, socket, name.
fn target(options: &PgConnectOptions) -> impl PartialEq {
    (
        options.get_host().to_owned(),
        options.get_port(),
        options.get_socket().cloned(),
        options.get_database().map(str::to_owned),
    )
}

fn is_same(one: &PgConnectOptions, other: &PgConnectOptions) -> bool {
    // The type has no comparison. Its URL has everything that a URL can set.
    one.to_url_lossy() == other.to_url_lossy()
}
