//! Checks that each connection keeps a session of Postgres of its own.
//!
//! A pooler in transaction or statement mode gives each transaction of a connection to any session. Then a session's locks,
//! settings and `LISTEN` belong to nobody or to somebody else (ADR 0013). Each session of ours gets a random mark. A new
//! connection whose session has a mark already, or whose process or mark changes between two statements, does not keep it.

use std::io;
use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tokio::time::timeout;

use super::store::{self, Session};
use super::{Servers, SessionTimeouts, connect_first};
use crate::db::error::sqlstate;

/// Rounds of the check with two connections: a pooler that takes sessions in turn may give the same one back once.
const ROUNDS: usize = 3;
/// Connections that are opened after these two, in turn. Several poolers may share one address, and of more connections than
/// poolers two meet at the same pooler.
const FURTHER_CONNECTIONS: usize = 2;
/// Time limit for the other connections. They wait for ever where all sessions of a pool are taken.
const OTHERS_TIMEOUT: Duration = Duration::from_secs(5);
/// Time limit for the last look at the first connection.
const CHECK_TIMEOUT: Duration = Duration::from_secs(3);

/// A connection does not keep its session.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "a connection pooler shares sessions of Postgres between connections (transaction or statement pooling), so locks and settings do not hold; use the direct URL of Postgres in `database.url` (DATABASE_URL), or a pool in session mode (PgBouncer: `pool_mode = session`, with `server_reset_query` at its default)"
)]
pub struct SharedSession;

/// A session of ours, as it was when the connection was opened.
#[derive(Clone, Debug)]
pub(crate) struct OwnSession(Session);

impl OwnSession {
    /// Checks that this session answers the connection.
    ///
    /// # Errors
    /// Returns [`SharedSession`] if another one does, or the database's error.
    pub(crate) async fn check(&self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        if store::session(conn).await? == self.0 {
            Ok(())
        } else {
            Err(shared_session())
        }
    }
}

/// Returns true if the error is [`SharedSession`].
#[must_use]
pub fn is_shared_session(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Configuration(cause) if cause.is::<SharedSession>())
}

fn shared_session() -> sqlx::Error {
    sqlx::Error::Configuration(SharedSession.into())
}

/// Applies the settings to a new connection, and marks its session.
///
/// # Errors
/// Returns [`SharedSession`] if the session has a mark already or does not stay, or the database's error. The connection must
/// be closed then.
pub(crate) async fn begin(
    conn: &mut PgConnection,
    timeouts: SessionTimeouts,
) -> Result<OwnSession, sqlx::Error> {
    let mark = uuid::Uuid::new_v4().to_string();
    let before = store::begin(conn, timeouts, &mark).await?;
    if !before.mark.is_empty() {
        return Err(shared_session());
    }
    let session = OwnSession(Session { mark, ..before });
    session.check(conn).await?;
    Ok(session)
}

/// Opens a connection to the first usable server and returns its session too.
///
/// # Errors
/// Returns [`SharedSession`], or why no connection could be made.
pub(crate) async fn open(
    servers: &Servers,
    timeouts: SessionTimeouts,
) -> Result<(PgConnection, OwnSession), sqlx::Error> {
    match connect_first(servers, timeouts).await {
        Ok(connected) => Ok((connected.conn, connected.session)),
        Err(failures) => Err(failures.into_error()),
    }
}

/// Opens a connection and checks by others that it keeps its session: while a second one has a transaction, a pooler that
/// shares sessions gives the second the session of the first, or the first another one.
///
/// # Errors
/// Returns [`SharedSession`], or why no connection could be made. Another connection that cannot be made is no error: a role
/// may be limited to one.
pub(crate) async fn open_checked(servers: &Servers) -> Result<PgConnection, sqlx::Error> {
    let (mut first, session) = open(servers, SessionTimeouts::default()).await?;
    let others = async {
        let (mut second, _) = open(servers, SessionTimeouts::default()).await?;
        for _ in 0..ROUNDS {
            let other = store::session_of_transaction(&mut second)
                .await
                .map_err(explain_refusal)?;
            if other.pid == session.0.pid || other.mark == session.0.mark {
                return Err(shared_session());
            }
            session.check(&mut first).await?;
            store::end_transaction(&mut second).await?;
        }
        drop(second.close().await);
        for _ in 0..FURTHER_CONNECTIONS {
            let (further, _) = open(servers, SessionTimeouts::default()).await?;
            drop(further.close().await);
        }
        Ok(())
    };
    match timeout(OTHERS_TIMEOUT, others).await {
        Ok(Err(error)) if is_shared_session(&error) => return Err(error),
        Ok(_) | Err(_) => {}
    }
    timeout(CHECK_TIMEOUT, session.check(&mut first))
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no response in time"))??;
    Ok(first)
}

/// Replaces the error with which a pooler in statement mode answers BEGIN. Postgres answers it with none of this class.
fn explain_refusal(error: sqlx::Error) -> sqlx::Error {
    if sqlstate(&error) == "08P01" {
        shared_session()
    } else {
        error
    }
}
