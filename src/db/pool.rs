//! Connections of the background jobs.
//!
//! A connection can be dead without a sign of it: the other machine is gone, and no packet reports it. Three things follow that
//! sqlx's own pool does not do. A connection that does not respond must not keep its place in the pool. A statement must not
//! wait for its response for ever. A backend that hangs counts until it has ended (ADR 0014).

use std::future::poll_fn;
use std::io;
use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::PgConnection;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};

use super::backends::{Backends, Connection, Listening, Share, Split};
use super::connection::{self, ConnectSource, SessionTimeouts};

/// Time limit for one response: a little longer than the `statement_timeout` of our connections, 30 s.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(35);

/// Time limit for a free or a new connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// Time limit for the wait for another piece of work that one replica does at a time.
const LOCK_TIMEOUT: Duration = Duration::from_secs(20);
/// Time limit for the health check of a connection that returns to the pool.
const RETURN_TIMEOUT: Duration = Duration::from_secs(5);
/// An unused connection is closed after this.
const IDLE_TIMEOUT: Duration = Duration::from_mins(5);
/// A connection is replaced after this, since a backend keeps memory.
const MAX_AGE: Duration = Duration::from_mins(30);

/// A pool of connections with a time limit for each response.
#[derive(Clone, Debug)]
pub struct Pool {
    shared: Arc<Shared>,
    /// Limits the connections of one user of the pool.
    turns: Option<Arc<Semaphore>>,
    response_timeout: Duration,
}

#[derive(Debug)]
struct Shared {
    share: Share,
    locks: Share,
    listening: Share,
    /// Connections without a place, the one used last at the end. One is opened only if there are none, so the backends of the
    /// share are never more than its places.
    idle: Mutex<Vec<Idle>>,
    /// Connections that are older are closed when they return.
    renewed_at: Mutex<Option<std::time::Instant>>,
    is_closed: AtomicBool,
}

#[derive(Debug)]
struct Idle {
    conn: Connection,
    since: Instant,
}

impl Pool {
    /// Creates a pool of at most `connections` that shares no limit with another one. Connects when a connection is first
    /// needed.
    #[must_use]
    pub fn new(
        source: impl Into<ConnectSource>,
        connections: u32,
        response_timeout: Duration,
    ) -> Self {
        let split = Split {
            jobs: connections,
            locks: 2,
            listening: 1,
            ..Split::of(0)
        };
        Self::of(
            &Backends::with_split(&source.into(), split),
            response_timeout,
        )
    }

    /// Creates a pool of the share of the jobs.
    #[must_use]
    pub fn of(backends: &Backends, response_timeout: Duration) -> Self {
        Self {
            shared: Arc::new(Shared {
                share: backends.jobs.clone(),
                locks: backends.locks.clone(),
                listening: backends.listening.clone(),
                idle: Mutex::default(),
                renewed_at: Mutex::default(),
                is_closed: AtomicBool::new(false),
            }),
            turns: None,
            response_timeout,
        }
    }

    /// Returns the same pool for a user that may have this many connections at a time.
    #[must_use]
    pub fn limited_to(&self, connections: usize) -> Self {
        Self {
            turns: Some(Arc::new(Semaphore::new(connections))),
            ..self.clone()
        }
    }

    /// Returns how many batches of deliveries can be processed at a time. Each needs a connection, and all of them share one
    /// for their records in `leaver.in_flight_batches`.
    #[must_use]
    pub fn max_batches(&self) -> u32 {
        self.shared.share.size().saturating_sub(1).max(1)
    }

    /// Returns a free connection, or a new one.
    ///
    /// # Errors
    /// Returns [`sqlx::Error::PoolTimedOut`] after 3 s, or why no connection could be made.
    pub async fn acquire(&self) -> Result<PooledConnection, sqlx::Error> {
        let acquired = timeout(ACQUIRE_TIMEOUT, self.wait_for_connection()).await;
        acquired.map_err(|_| sqlx::Error::PoolTimedOut)?
    }

    async fn wait_for_connection(&self) -> Result<PooledConnection, sqlx::Error> {
        let turn = match &self.turns {
            Some(turns) => {
                let turn = Arc::clone(turns).acquire_owned().await;
                Some(turn.map_err(|_| sqlx::Error::PoolClosed)?)
            }
            None => None,
        };
        loop {
            let place = self.shared.share.place().await?;
            if self.shared.is_closed.load(Ordering::Relaxed) {
                return Err(sqlx::Error::PoolClosed);
            }
            let Some(idle) = self.shared.idle().pop() else {
                let conn = self.shared.share.open_in(place, self.timeouts()).await?;
                return Ok(PooledConnection::new(conn, turn, &self.shared));
            };
            let mut conn = idle.conn;
            conn.set_place(place);
            if self.shared.share.must_give_way() || self.shared.is_outdated(&conn) {
                conn.close().await;
                continue;
            }
            let must_write = self.shared.share.source().current().must_write();
            let answer = async {
                if must_write {
                    connection::check_writable(&mut conn).await
                } else {
                    conn.ping().await
                }
            };
            // Otherwise closed, so that a server that accepts no more writes is left.
            if let Ok(Ok(())) = timeout(RETURN_TIMEOUT, answer).await {
                return Ok(PooledConnection::new(conn, turn, &self.shared));
            }
        }
    }

    fn timeouts(&self) -> SessionTimeouts {
        let usual = SessionTimeouts::default();
        SessionTimeouts {
            // Locks of a connection that was given up end no later than the wait for it.
            idle_in_transaction: usual.idle_in_transaction.min(self.response_timeout),
            ..usual
        }
    }

    /// Returns a new connection outside the pool, for an owner that keeps it long.
    ///
    /// # Errors
    /// Returns [`sqlx::Error::PoolTimedOut`] after 20 s, or why no connection could be made.
    pub(crate) async fn connect_dedicated(&self) -> Result<Connection, sqlx::Error> {
        let place = timeout(LOCK_TIMEOUT, self.shared.locks.place())
            .await
            .map_err(|_| sqlx::Error::PoolTimedOut)??;
        let opening = self.shared.locks.open_in(place, SessionTimeouts::default());
        timeout(ACQUIRE_TIMEOUT, opening)
            .await
            .map_err(|_| sqlx::Error::PoolTimedOut)?
    }

    /// Checks that each connection keeps a session of its own.
    ///
    /// # Errors
    /// Returns [`SharedSession`](connection::sessions::SharedSession) if a pooler shares sessions, or why no connection could
    /// be made.
    pub(crate) async fn check_sessions(&self) -> Result<(), sqlx::Error> {
        let conn = self.shared.share.source().open_checked().await?;
        drop(conn.close().await);
        Ok(())
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

    /// Returns a connection for `LISTEN`.
    ///
    /// # Errors
    /// Returns [`sqlx::Error::PoolTimedOut`] if the limit leaves none for it, or why no connection could be made.
    pub(crate) async fn listening(&self) -> Result<Listening, sqlx::Error> {
        Listening::open(&self.shared.listening, self.timeouts()).await
    }

    /// Closes connections before they are used again. After an outage each may have been opened while the database was read
    /// only, and would stay so.
    pub(crate) fn renew(&self) {
        *self.shared.renewed_at() = Some(std::time::Instant::now());
    }

    /// Closes the pool, and waits until every connection has returned and is closed.
    pub async fn close(&self) {
        let shared = &self.shared;
        shared.is_closed.store(true, Ordering::Relaxed);
        for _ in 0..shared.share.size() {
            let Ok(place) = shared.share.place().await else {
                return;
            };
            let idle = shared.idle().pop();
            if let Some(idle) = idle {
                idle.conn.close().await;
            }
            place.forget();
        }
    }
}

impl Shared {
    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn renewed_at(&self) -> MutexGuard<'_, Option<std::time::Instant>> {
        let renewed_at = self.renewed_at.lock();
        renewed_at.unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns true if the connection was opened before the pool was renewed.
    fn is_outdated(&self, conn: &Connection) -> bool {
        self.renewed_at().is_some_and(|at| conn.opened_at() < at)
    }

    /// Takes a connection back if it responds, and closes those that were not used for long.
    async fn take_back(&self, mut conn: Connection) {
        // This also ends a transaction that was dropped.
        if !matches!(timeout(RETURN_TIMEOUT, conn.ping()).await, Ok(Ok(()))) {
            return;
        }
        let is_old = conn.opened_at().elapsed() > MAX_AGE;
        let is_outdated = self.is_outdated(&conn);
        if is_old
            || is_outdated
            || self.share.must_give_way()
            || self.is_closed.load(Ordering::Relaxed)
        {
            return conn.close().await;
        }
        {
            let mut idle = self.idle();
            let place = conn.take_place();
            idle.push(Idle {
                conn,
                since: Instant::now(),
            });
            drop(place);
        }
        while let Some(unused) = self.take_unused() {
            unused.close().await;
        }
    }

    /// Takes the connection that was not used for longest, if that is too long.
    fn take_unused(&self) -> Option<Connection> {
        let mut idle = self.idle();
        let is_unused = idle.first()?.since.elapsed() > IDLE_TIMEOUT;
        let place = is_unused.then(|| self.share.try_place()).flatten()?;
        let mut conn = idle.remove(0).conn;
        conn.set_place(place);
        Some(conn)
    }
}

/// A connection that returns to the pool when it is dropped, or is closed if it does not respond.
#[derive(Debug)]
pub struct PooledConnection {
    conn: Option<Connection>,
    turn: Option<OwnedSemaphorePermit>,
    shared: Arc<Shared>,
}

impl PooledConnection {
    fn new(conn: Connection, turn: Option<OwnedSemaphorePermit>, shared: &Arc<Shared>) -> Self {
        Self {
            conn: Some(conn),
            turn,
            shared: Arc::clone(shared),
        }
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        let (Some(conn), Ok(runtime)) = (self.conn.take(), Handle::try_current()) else {
            return;
        };
        let (shared, turn) = (Arc::clone(&self.shared), self.turn.take());
        drop(runtime.spawn(async move {
            shared.take_back(conn).await;
            drop(turn);
        }));
    }
}

impl Deref for PooledConnection {
    type Target = PgConnection;

    #[expect(clippy::expect_used, reason = "only a drop takes it")]
    fn deref(&self) -> &PgConnection {
        self.conn.as_ref().expect("a connection")
    }
}

impl DerefMut for PooledConnection {
    #[expect(clippy::expect_used, reason = "only a drop takes it")]
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.conn.as_mut().expect("a connection")
    }
}
