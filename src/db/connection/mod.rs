//! Opens connections with the session settings that all of ours have.
//!
//! The settings are sent after connecting, not in the start-up packet: a pooler may drop or refuse them there.

mod attempts;
pub(crate) mod guard;
mod probe;
pub mod protection;
mod scram;
mod servers;
pub mod sessions;
pub mod source;
mod store;

use std::io;
use std::time::Duration;

use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;

pub(crate) use self::attempts::connect_first;
pub(crate) use self::probe::Refused;
pub use self::servers::Servers;
use self::sessions::OwnSession;
pub use self::source::ConnectSource;
use self::store::Role;

/// Search path of every connection. Functions and operators are found in `pg_catalog` alone. Naming `pg_temp` puts it behind
/// `pg_catalog`; unnamed, it would come first for tables and types.
pub const SEARCH_PATH: &str = "pg_catalog, pg_temp";

/// Time limits that Postgres keeps for a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionTimeouts {
    /// For one statement.
    pub(crate) statement: Duration,
    /// For a transaction without a statement.
    pub(crate) idle_in_transaction: Duration,
}

impl Default for SessionTimeouts {
    fn default() -> Self {
        let limit = Duration::from_secs(30);
        Self {
            statement: limit,
            idle_in_transaction: limit,
        }
    }
}

/// Opens a connection with the session settings and the usual time limits, to the first server that can be used.
///
/// # Errors
/// Returns why no connection could be made.
pub async fn open(servers: impl Into<Servers>) -> Result<PgConnection, sqlx::Error> {
    open_with(&servers.into(), SessionTimeouts::default()).await
}

/// Does the same with other time limits.
///
/// # Errors
/// Returns why no connection could be made.
pub(crate) async fn open_with(
    servers: &Servers,
    timeouts: SessionTimeouts,
) -> Result<PgConnection, sqlx::Error> {
    match connect_first(servers, timeouts).await {
        Ok(connected) => Ok(connected.conn),
        Err(failures) => Err(failures.into_error()),
    }
}

/// Returns the options with which a pool may connect now.
///
/// # Errors
/// Returns why no server may be connected to.
pub(crate) async fn usable(servers: &Servers) -> Result<PgConnectOptions, sqlx::Error> {
    if let Some(only) = servers.only() {
        return guard::checked(only).await;
    }
    match connect_first(servers, SessionTimeouts::default()).await {
        Ok(connected) => Ok(connected.options),
        Err(failures) => Err(failures.into_error()),
    }
}

/// Applies the session settings to a new connection, and marks its session. Refuses a server that accepts no writes if they
/// are needed.
///
/// # Errors
/// Returns the database's error, that the session is shared, or that the server accepts no writes. The connection must be
/// closed then.
pub(crate) async fn prepare(
    conn: &mut PgConnection,
    timeouts: SessionTimeouts,
    must_write: bool,
) -> Result<OwnSession, sqlx::Error> {
    let session = sessions::begin(conn, timeouts).await?;
    if must_write {
        check_writable(conn).await?;
    }
    Ok(session)
}

/// Returns an error if the server accepts no writes now.
///
/// # Errors
/// Returns the database's error, or that the server accepts no writes.
pub(crate) async fn check_writable(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    let problem = match store::role(conn).await? {
        Role::Writable => return Ok(()),
        Role::InRecovery => "the server is in recovery: a standby, which takes no writes",
        Role::ReadOnly => "the server is read only (`default_transaction_read_only`)",
    };
    Err(io::Error::other(problem).into())
}
