//! Opens connections with the session settings that all of ours have.
//!
//! The settings are sent after connecting, not in the start-up packet: a pooler may drop or refuse them there.

pub(crate) mod guard;
mod probe;
pub mod protection;
mod scram;
pub mod source;
mod store;

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};

pub(crate) use self::probe::Refused;
pub use self::source::ConnectSource;
pub(crate) use self::store::{apply_settings, is_in_recovery};

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

/// Opens a connection with the session settings and the usual time limits.
///
/// # Errors
/// Returns why no connection could be made.
pub async fn open(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    open_with(options, SessionTimeouts::default()).await
}

/// Does the same with other time limits.
///
/// # Errors
/// Returns why no connection could be made.
pub(crate) async fn open_with(
    options: &PgConnectOptions,
    timeouts: SessionTimeouts,
) -> Result<PgConnection, sqlx::Error> {
    let mut conn = guard::checked(options).await?.connect().await?;
    apply_settings(&mut conn, timeouts).await?;
    Ok(conn)
}
