//! Ends backends that were given up, over one connection of its own, and frees their places.
//!
//! It terminates and does not cancel. A cancelled commit that waits for a standby succeeds without the standby. A terminated
//! one reports nothing, so nobody can take it for stored. It also needs no key of the backend, which sqlx does not expose.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::PgConnection;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use super::store::{self, Backend};
use crate::db::connection::{ConnectSource, SessionTimeouts};
use crate::db::error::{Cause, redacted_message};

/// Time limit for a connection of the reaper, so that it returns soon after a short outage.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// The same after [`SHORT_ATTEMPTS`]. Each attempt can leave a backend at a server that stands still.
const LATER_CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const SHORT_ATTEMPTS: u32 = 10;
/// Time limit for each response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);
/// An idle backend ends by itself when its socket closes. After this it is terminated.
const IDLE_LIMIT: Duration = Duration::from_millis(250);
/// Waits between two looks.
const FIRST_WAIT: Duration = Duration::from_millis(10);
const LONGEST_WAIT: Duration = Duration::from_millis(250);
/// If no place is free for a new connection of the reaper, it waits so long for the end of the one that does not respond.
const END_LIMIT: Duration = Duration::from_secs(5);

/// A connection that was given up. The place is free when this is dropped.
#[derive(Debug)]
pub(super) struct GivenUp {
    /// Held until the end.
    pub(super) _place: Option<OwnedSemaphorePermit>,
    /// `None` if the connection was given up before it was open.
    pub(super) backend: Option<Backend>,
    /// True if the server was informed of the end.
    pub(super) is_closed: bool,
    pub(super) since: Instant,
}

/// Ends backends. Runs while there are some.
#[derive(Clone, Debug)]
pub(crate) struct Reaper(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: ConnectSource,
    /// The share from which a new connection of the reaper takes the place of one that does not respond.
    spare: Arc<Semaphore>,
    work: Mutex<Work>,
    control: tokio::sync::Mutex<Control>,
    /// Why the last attempt to connect failed, while there is something to end.
    problem: Mutex<Option<Cause>>,
}

#[derive(Debug, Default)]
struct Work {
    given_up: Vec<GivenUp>,
    is_running: bool,
}

#[derive(Debug, Default)]
struct Control {
    conn: Option<(PgConnection, Option<Backend>)>,
    /// When a connection was given up whose backend may still be there.
    lost_at: Option<Instant>,
    /// Attempts in a row without a connection.
    failures: u32,
}

impl Reaper {
    pub(super) fn new(source: ConnectSource, spare: Arc<Semaphore>) -> Self {
        Self(Arc::new(Inner {
            source,
            spare,
            work: Mutex::default(),
            control: tokio::sync::Mutex::default(),
            problem: Mutex::default(),
        }))
    }

    /// Opens the connection, if there is none. A failure is repeated when there is something to end.
    pub(super) async fn connect(&self) {
        let mut control = self.0.control.lock().await;
        if let Err(error) = self.0.connected(&mut control).await {
            debug!(
                error = redacted_message(&error),
                "backends.connect: no connection yet"
            );
        }
    }

    /// Returns why no place becomes free, if that is known.
    pub(super) fn problem(&self) -> Option<Cause> {
        let problem = self.0.problem.lock();
        problem.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes a connection that was given up.
    pub(super) fn hand_over(&self, given_up: GivenUp) {
        // Without a runtime the process is ending.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let mut work = self.lock();
        work.given_up.push(given_up);
        if !std::mem::replace(&mut work.is_running, true) {
            let reaper = self.clone();
            drop(runtime.spawn(async move { reaper.run().await }));
        }
    }

    async fn run(&self) {
        let (mut wait, mut is_reported) = (FIRST_WAIT, false);
        loop {
            let (given_up, newest) = {
                let mut work = self.lock();
                if work.given_up.is_empty() {
                    // Under the same lock, so that the next one starts a new run.
                    work.is_running = false;
                    self.0.set_problem(None);
                    return;
                }
                let newest = work.given_up.iter().map(|it| it.since).max();
                (std::mem::take(&mut work.given_up), newest)
            };
            let count = given_up.len();
            match self.0.reap(given_up).await {
                (left, None) => self.lock().given_up.extend(left),
                (left, Some(error)) => {
                    if !std::mem::replace(&mut is_reported, true) {
                        warn!(
                            connections = count,
                            error = redacted_message(&error),
                            "backends.end: connections were given up, and the server does not confirm their end; no new ones take their places"
                        );
                    }
                    self.lock().given_up.extend(left);
                }
            }
            if newest.is_some_and(|at| at.elapsed() < FIRST_WAIT * 2) {
                wait = FIRST_WAIT;
            }
            sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Work> {
        self.0.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Ends what can be ended, and returns what may still be there.
    async fn reap(&self, given_up: Vec<GivenUp>) -> (Vec<GivenUp>, Option<sqlx::Error>) {
        let mut control = self.control.lock().await;
        let backends: Vec<Backend> = given_up.iter().filter_map(|it| it.backend).collect();
        let looked = async {
            let conn = self.connected(&mut control).await?;
            let present = timeout(RESPONSE_TIMEOUT, store::present(conn, &backends))
                .await
                .map_err(|_| sqlx::Error::PoolTimedOut)??;
            let hanging: Vec<Backend> = given_up
                .iter()
                .filter(|it| !it.is_closed || it.since.elapsed() > IDLE_LIMIT)
                .filter_map(|it| {
                    let backend = it.backend?;
                    let found = present.iter().find(|found| found.backend == backend)?;
                    let is_stuck = found.is_active || it.since.elapsed() > IDLE_LIMIT;
                    (is_stuck && !it.is_closed).then_some(backend)
                })
                .collect();
            if !hanging.is_empty() {
                timeout(RESPONSE_TIMEOUT, store::terminate(conn, &hanging))
                    .await
                    .map_err(|_| sqlx::Error::PoolTimedOut)??;
            }
            Ok::<_, sqlx::Error>(present)
        };
        match looked.await {
            Ok(present) => {
                let is_there = |it: &GivenUp| {
                    // A pooler keeps the backend of a connection that was closed in order.
                    let is_pooled = it.is_closed && it.since.elapsed() > IDLE_LIMIT;
                    let backend = it.backend.filter(|_| !is_pooled);
                    backend.is_some_and(|it| present.iter().any(|found| found.backend == it))
                };
                (given_up.into_iter().filter(is_there).collect(), None)
            }
            Err(error) => (self.discard(&mut control, given_up, &error), Some(error)),
        }
    }

    /// Drops a connection that failed.
    fn discard(
        &self,
        control: &mut Control,
        mut given_up: Vec<GivenUp>,
        error: &sqlx::Error,
    ) -> Vec<GivenUp> {
        let Some((conn, backend)) = control.conn.take() else {
            return given_up;
        };
        drop(conn);
        // Without a response the backend may still be there. It counts until it has ended.
        if matches!(error, sqlx::Error::PoolTimedOut) {
            match Arc::clone(&self.spare).try_acquire_owned() {
                Ok(place) => given_up.push(GivenUp {
                    _place: Some(place),
                    backend,
                    is_closed: false,
                    since: Instant::now(),
                }),
                Err(_) => control.lost_at = Some(Instant::now()),
            }
        }
        given_up
    }

    fn set_problem(&self, cause: Option<Cause>) {
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = cause;
    }

    async fn connected<'c>(
        &self,
        control: &'c mut Control,
    ) -> Result<&'c mut PgConnection, sqlx::Error> {
        if control.conn.is_none() {
            if let Some(lost_at) = control.lost_at
                && lost_at.elapsed() < END_LIMIT
            {
                return Err(sqlx::Error::PoolTimedOut);
            }
            let timeouts = SessionTimeouts {
                statement: RESPONSE_TIMEOUT * 3 / 4,
                ..SessionTimeouts::default()
            };
            let opened = async {
                let mut conn = self.source.open(timeouts).await?;
                let backend = store::identify(&mut conn).await?;
                Ok::<_, sqlx::Error>((conn, Some(backend)))
            };
            let limit = if control.failures < SHORT_ATTEMPTS {
                CONNECT_TIMEOUT
            } else {
                LATER_CONNECT_TIMEOUT
            };
            control.failures = control.failures.saturating_add(1);
            let opened = timeout(limit, opened)
                .await
                .unwrap_or(Err(sqlx::Error::PoolTimedOut));
            self.set_problem(opened.as_ref().err().map(Cause::of));
            let opened = opened?;
            control.failures = 0;
            control.lost_at = None;
            control.conn = Some(opened);
        }
        let conn = control.conn.as_mut().map(|(conn, _)| conn);
        conn.ok_or(sqlx::Error::PoolClosed)
    }
}
