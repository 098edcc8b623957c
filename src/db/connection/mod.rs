//! Opens connections with the session settings that all of ours have.
//!
//! The settings are sent after connecting, not in the start-up packet: a pooler may drop or refuse them there.

mod store;

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};

pub(crate) use self::store::apply_settings;

/// Search path of every connection. Functions and operators are found in `pg_catalog` alone. Naming `pg_temp` puts it behind
/// `pg_catalog`; unnamed, it would come first for tables and types.
pub const SEARCH_PATH: &str = "pg_catalog, pg_temp";

/// Time limit for one statement, unless a connection has its own.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// Opens a connection with the session settings and the usual statement timeout.
///
/// # Errors
/// Returns why no connection could be made.
pub async fn open(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    open_with(options, STATEMENT_TIMEOUT).await
}

/// Does the same with another time limit for statements.
///
/// # Errors
/// Returns why no connection could be made.
pub(crate) async fn open_with(
    options: &PgConnectOptions,
    statement_timeout: Duration,
) -> Result<PgConnection, sqlx::Error> {
    let mut conn = options.connect().await?;
    apply_settings(&mut conn, statement_timeout).await?;
    Ok(conn)
}
