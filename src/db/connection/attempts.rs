//! Connects to the first server that can be used.

use std::error::Error;
use std::time::Duration;
use std::{fmt, io};

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::servers::{Servers, address};
use super::sessions::{OwnSession, is_shared_session};
use super::{SessionTimeouts, guard, prepare};
use crate::db::error::redacted_message;

/// After this, the next server is tried too. The attempt before it continues: a distant server may need longer.
const HEAD_START: Duration = Duration::from_millis(700);

/// Connections to one server that are tried while its sessions have marks. A pool that was in transaction mode before has
/// such sessions, and session mode clears each when its connection ends.
const ATTEMPTS: usize = 3;

/// A new connection.
pub(crate) struct Connected {
    /// The options that were used.
    pub(crate) options: PgConnectOptions,
    /// The connection.
    pub(crate) conn: PgConnection,
    /// Its session.
    pub(crate) session: OwnSession,
}

/// Why no server could be connected to: one error per server.
#[derive(Debug)]
pub(crate) struct Failures(Vec<(String, sqlx::Error)>);

impl Failures {
    /// Returns one error: that of the only server, else that a session is shared or the first answer of a database, else an I/O
    /// error that lists all.
    pub(crate) fn into_error(mut self) -> sqlx::Error {
        let is_answer = |(_, error): &(String, sqlx::Error)| {
            error.as_database_error().is_some() || is_shared_session(error)
        };
        let position = match self.0.len() {
            1 => Some(0),
            _ => self.0.iter().position(is_answer),
        };
        match position {
            Some(position) => self.0.swap_remove(position).1,
            None => io::Error::other(self).into(),
        }
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0[..] {
            [] => f.write_str("no server is configured"),
            [(_, error)] => f.write_str(&redacted_message(error)),
            several => {
                let parts: Vec<String> = several
                    .iter()
                    .map(|(address, error)| format!("{address}: {}", redacted_message(error)))
                    .collect();
                f.write_str(&parts.join(", "))
            }
        }
    }
}

impl Error for Failures {}

/// Connects to the first usable server, in order. A server that does not answer soon does not keep the next one waiting.
///
/// # Errors
/// Returns why each server could not be used, once all have failed.
pub(crate) async fn connect_first(
    servers: &Servers,
    timeouts: SessionTimeouts,
) -> Result<Connected, Failures> {
    let mut order = servers.order();
    let mut attempts = JoinSet::new();
    let mut failures = vec![];
    loop {
        if let Some(position) = order.next() {
            let servers = servers.clone();
            attempts.spawn(async move { (position, attempt(&servers, position, timeouts).await) });
        } else if attempts.is_empty() {
            return Err(Failures(failures));
        }
        let ended = if order.len() > 0 {
            match timeout(HEAD_START, attempts.join_next()).await {
                Ok(ended) => ended,
                Err(_) => continue,
            }
        } else {
            attempts.join_next().await
        };
        match ended {
            Some(Ok((position, Ok(connected)))) => {
                servers.set_last(position);
                return Ok(connected);
            }
            Some(Ok((position, Err(error)))) => {
                let address = servers.all().get(position).map(address);
                failures.push((address.unwrap_or_default(), error));
            }
            Some(Err(error)) => failures.push((String::new(), io::Error::other(error).into())),
            None => {}
        }
    }
}

/// Connects to one server.
async fn attempt(
    servers: &Servers,
    position: usize,
    timeouts: SessionTimeouts,
) -> Result<Connected, sqlx::Error> {
    let server = servers.all().get(position);
    let server = server.ok_or_else(|| io::Error::other("no such server"))?;
    let attempt = async {
        let mut attempt = 1;
        loop {
            let options = guard::checked(server).await?;
            let mut conn = options.connect().await?;
            match prepare(&mut conn, timeouts, servers.must_write()).await {
                Ok(session) => {
                    return Ok(Connected {
                        options,
                        conn,
                        session,
                    });
                }
                Err(error) if is_shared_session(&error) && attempt < ATTEMPTS => {
                    attempt += 1;
                    drop(conn.close().await);
                }
                Err(error) => return Err(error),
            }
        }
    };
    match servers.limit() {
        None => attempt.await,
        Some(limit) => timeout(limit, attempt).await.unwrap_or_else(|_| {
            let text = "no response within `connect_timeout`";
            Err(io::Error::new(io::ErrorKind::TimedOut, text).into())
        }),
    }
}
