//! Connections of the working half, shared and lent out. A database that is silently gone, with no end of a connection to
//! tell of it, costs neither a place in the pool nor a loop that waits for its answer for ever.
//!
//! sqlx's pool sees to neither: what comes back to it is asked whether it still lives, without a limit, and whoever waits
//! for an answer waits. (<https://github.com/transact-rs/sqlx/issues/4349>, open as of sqlx 0.9.0)

use std::future::poll_fn;
use std::io;
use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, PgConnection, PgPool, Postgres};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout};

/// So long an answer may be awaited: a little longer than Postgres works on a statement of ours (`statement_timeout`).
pub const SILENCE: Duration = Duration::from_secs(35);

/// For a free connection.
const ACQUIRE: Duration = Duration::from_secs(3);
/// For one that comes back, to say that it still lives.
const RETURN: Duration = Duration::from_secs(5);
/// An unused one is closed after this.
const IDLE: Duration = Duration::from_mins(5);

/// The connections.
#[derive(Clone, Debug)]
pub struct Pool {
    connections: PgPool,
    silence: Duration,
}

impl Pool {
    /// At most so many, made when they are needed.
    #[must_use]
    pub fn new(options: PgConnectOptions, connections: u32, silence: Duration) -> Self {
        let connections = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(ACQUIRE)
            .idle_timeout(IDLE)
            .connect_lazy_with(options);
        Self {
            connections,
            silence,
        }
    }

    /// Lends a connection out.
    ///
    /// # Errors
    /// When none is free in time, or none can be made.
    pub async fn acquire(&self) -> Result<PooledConnection, sqlx::Error> {
        self.connections.acquire().await.map(PooledConnection)
    }

    /// A new connection that is none of the pool's, for whoever holds it long.
    ///
    /// # Errors
    /// When none can be made in time.
    pub async fn apart(&self) -> Result<PgConnection, sqlx::Error> {
        let options = self.connections.connect_options();
        timeout(ACQUIRE, options.connect())
            .await
            .map_err(|_| sqlx::Error::PoolTimedOut)?
    }

    /// Works with the database until nothing has been heard for too long. How long all of it takes does not matter; it
    /// must not wait for anything else than the database.
    ///
    /// # Errors
    /// Those of the work, and an outage when the database was silent. Whether a commit went through is not known then.
    pub fn heard<T, E: From<sqlx::Error>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> impl Future<Output = Result<T, E>> {
        // Work is large, and one of these stands in the other.
        let (mut work, patience) = (Box::pin(work), self.silence);
        async move {
            let mut silence = pin!(sleep(patience));
            poll_fn(|cx| {
                // It is polled when the database has answered, or when the time is up.
                let is_up = silence.as_mut().poll(cx).is_ready();
                if let Poll::Ready(done) = work.as_mut().poll(cx) {
                    return Poll::Ready(done);
                }
                if is_up {
                    let silent = io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
                    return Poll::Ready(Err(sqlx::Error::Io(silent).into()));
                }
                silence.as_mut().reset(Instant::now() + patience);
                // So that the new time wakes us.
                let _ = silence.as_mut().poll(cx);
                Poll::Pending
            })
            .await
        }
    }

    /// A pool of a single connection of the same kind, for whoever listens: sqlx takes that connection back itself, so
    /// it must not be one of ours.
    #[must_use]
    pub fn single(&self) -> PgPool {
        let options = self.connections.connect_options();
        PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ACQUIRE)
            .connect_lazy_with((*options).clone())
    }

    /// Lends nothing any more, and closes what comes back.
    pub async fn close(&self) {
        self.connections.close().await;
    }
}

/// A connection that goes back when it is dropped, or ends where it does not answer in time.
#[derive(Debug)]
pub struct PooledConnection(PoolConnection<Postgres>);

impl Drop for PooledConnection {
    fn drop(&mut self) {
        let back = self.0.return_to_pool();
        // When the time is up, its place is free and its socket closed without a farewell; as without a runtime.
        if let Ok(runtime) = Handle::try_current() {
            drop(runtime.spawn(async move { timeout(RETURN, back).await }));
        }
    }
}

impl Deref for PooledConnection {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.0
    }
}

impl DerefMut for PooledConnection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.0
    }
}
