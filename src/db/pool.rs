//! Connections of the background jobs.
//!
//! A connection can be dead without a sign of it: the other machine is gone, and no packet reports it. Two things follow that
//! sqlx's own pool does not do: a connection that does not respond must not keep its place in the pool, and a statement must
//! not wait for its response for ever. (<https://github.com/transact-rs/sqlx/issues/4349>, open as of sqlx 0.9.0; remove
//! [`PooledConnection`] once a release limits the time of a return.)

use std::future::poll_fn;
use std::io;
use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool, Postgres};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout};

use super::connection::{self, ConnectSource, SessionTimeouts, guard};

/// Time limit for one response: a little longer than the `statement_timeout` of our connections, 30 s.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(35);

/// Time limit for a free or a new connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// Time limit for the health check of a connection that returns to the pool.
const RETURN_TIMEOUT: Duration = Duration::from_secs(5);
/// An unused connection is closed after this.
const IDLE_TIMEOUT: Duration = Duration::from_mins(5);

/// When a pool was last renewed.
type RenewedAt = Arc<Mutex<Option<Instant>>>;

fn lock(renewed_at: &RenewedAt) -> MutexGuard<'_, Option<Instant>> {
    renewed_at.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A pool of connections with a time limit for each response.
#[derive(Clone, Debug)]
pub struct Pool {
    connections: PgPool,
    source: ConnectSource,
    /// Connections that are older are closed when they return.
    renewed_at: RenewedAt,
    response_timeout: Duration,
}

impl Pool {
    /// Creates a pool of at most `connections`. Connects when a connection is first needed.
    #[must_use]
    pub fn new(
        source: impl Into<ConnectSource>,
        connections: u32,
        response_timeout: Duration,
    ) -> Self {
        let source = source.into();
        let renewed_at = RenewedAt::default();
        let renewed = Arc::clone(&renewed_at);
        // Each new connection gets the current options first.
        let connections = pool_options(connections, response_timeout)
            .idle_timeout(IDLE_TIMEOUT)
            .after_release(move |_, found| {
                let is_newer = lock(&renewed).is_none_or(|at| found.age < at.elapsed());
                Box::pin(async move { Ok(is_newer) })
            })
            .connect_lazy_with(guard::without_password(&source.current()));
        Self {
            connections,
            source,
            renewed_at,
            response_timeout,
        }
    }

    /// Returns a free connection, or a new one.
    ///
    /// # Errors
    /// Returns [`sqlx::Error::PoolTimedOut`] after 3 s, or why no connection could be made.
    pub async fn acquire(&self) -> Result<PooledConnection, sqlx::Error> {
        let options = self.source.current();
        match self.acquire_with(&options).await {
            Err(error) if self.source.has_changed_after(&error, &options).await => {
                self.acquire_with(&self.source.current()).await
            }
            done => done,
        }
    }

    async fn acquire_with(
        &self,
        options: &PgConnectOptions,
    ) -> Result<PooledConnection, sqlx::Error> {
        if guard::is_needed(options) {
            while let Some(idle) = self.connections.try_acquire() {
                let mut idle = PooledConnection(idle);
                if let Ok(Ok(())) = timeout(RETURN_TIMEOUT, idle.ping()).await {
                    return Ok(idle);
                }
            }
            let options = timeout(ACQUIRE_TIMEOUT, guard::checked(options))
                .await
                .map_err(|_| sqlx::Error::PoolTimedOut)??;
            self.connections.set_connect_options(options);
        } else {
            self.connections.set_connect_options(options.clone());
        }
        self.connections.acquire().await.map(PooledConnection)
    }

    /// Returns a new connection outside the pool, for an owner that keeps it long.
    ///
    /// # Errors
    /// Returns [`sqlx::Error::PoolTimedOut`] after 3 s, or why no connection could be made.
    pub(crate) async fn connect_dedicated(&self) -> Result<PgConnection, sqlx::Error> {
        let opened = self.source.open(SessionTimeouts::default());
        timeout(ACQUIRE_TIMEOUT, opened)
            .await
            .map_err(|_| sqlx::Error::PoolTimedOut)?
    }

    /// Runs work on the database, and ends it when one response takes longer than the limit. The work as a whole has no
    /// limit. It must wait for nothing but the database.
    ///
    /// # Errors
    /// Returns the error of the work, or an I/O error of kind `TimedOut`. A commit may have succeeded in that case.
    pub fn with_silence_timeout<T, E: From<sqlx::Error>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> impl Future<Output = Result<T, E>> {
        // Boxed because these futures are large, and one is often part of another.
        let (mut work, limit) = (Box::pin(work), self.response_timeout);
        async move {
            let mut silence = pin!(sleep(limit));
            poll_fn(|cx| {
                // A poll means that the database has responded or that the time is up.
                let is_up = silence.as_mut().poll(cx).is_ready();
                if let Poll::Ready(done) = work.as_mut().poll(cx) {
                    return Poll::Ready(done);
                }
                if is_up {
                    let silent = io::Error::new(io::ErrorKind::TimedOut, "no response in time");
                    return Poll::Ready(Err(sqlx::Error::Io(silent).into()));
                }
                silence.as_mut().reset(Instant::now() + limit);
                // A timer that was reset wakes nobody until it is polled again.
                let _ = silence.as_mut().poll(cx);
                Poll::Pending
            })
            .await
        }
    }

    /// Returns a connected pool of one connection for `LISTEN`, to be used at once. sqlx's listener returns its connection to
    /// its pool by itself, without [`PooledConnection`], so it must not use this pool.
    ///
    /// # Errors
    /// Returns an error if the server may not be connected to.
    pub async fn dedicated_pool(&self) -> Result<PgPool, sqlx::Error> {
        let options = self.source.current();
        match self.dedicated_pool_with(&options).await {
            Err(error) if self.source.has_changed_after(&error, &options).await => {
                self.dedicated_pool_with(&self.source.current()).await
            }
            done => done,
        }
    }

    async fn dedicated_pool_with(&self, options: &PgConnectOptions) -> Result<PgPool, sqlx::Error> {
        let options = guard::checked(options).await?;
        pool_options(1, self.response_timeout)
            .connect_with(options)
            .await
    }

    /// Closes the connections that nothing uses now, and the others when they return. After an outage each may have been opened
    /// while the database was read only, and would stay so.
    pub(crate) fn renew(&self) {
        *lock(&self.renewed_at) = Some(Instant::now());
        while let Some(idle) = self.connections.try_acquire() {
            let closed = timeout(RETURN_TIMEOUT, idle.detach().close());
            drop(tokio::spawn(async move { drop(closed.await) }));
        }
    }

    /// Closes the pool, and waits until every connection has returned and is closed.
    pub async fn close(&self) {
        self.connections.close().await;
    }
}

fn pool_options(connections: u32, response_timeout: Duration) -> PgPoolOptions {
    let usual = SessionTimeouts::default();
    let timeouts = SessionTimeouts {
        // Locks of a connection that was given up end no later than the wait for it.
        idle_in_transaction: usual.idle_in_transaction.min(response_timeout),
        ..usual
    };
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_connect(move |conn, _| Box::pin(connection::apply_settings(conn, timeouts)))
}

/// A connection that returns to the pool when it is dropped, or is closed if it does not respond.
#[derive(Debug)]
pub struct PooledConnection(PoolConnection<Postgres>);

impl Drop for PooledConnection {
    fn drop(&mut self) {
        let back = self.0.return_to_pool();
        // After the limit the future is dropped, which closes the socket and frees the place in the pool.
        if let Ok(runtime) = Handle::try_current() {
            drop(runtime.spawn(async move { timeout(RETURN_TIMEOUT, back).await }));
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
