//! Probes whether the database stores a row (ADR 0015).
//!
//! One probe runs at a time, on one connection. A commit that waits for a standby does not end by a time limit, so the probe
//! keeps running in the background while requests are answered by what its session waits for.

mod store;

use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use uuid::Uuid;

use super::idle::IdleConnection;
use super::shared::Shared;
use crate::db::backends::{Connection, Share};
use crate::db::connection::SessionTimeouts;
use crate::db::error::{Cause, sqlstate};
use crate::db::replication;
use crate::ingest::group_commit;
use crate::ingest::store_signs::{Sign, StoreSigns};

/// A successful probe counts for this long, so that a service at rest writes six rows a minute at most.
const GOOD_FOR: Duration = Duration::from_secs(10);

/// A failed probe counts for this long.
const FAILED_FOR: Duration = Duration::from_secs(1);

/// Time limit for a commit, until its session is looked at.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(2);

/// Time for a probe that was slow at the last request already.
const SLOW_PROBE_TIMEOUT: Duration = Duration::from_millis(100);

/// Time limit of Postgres for the statement, which does not cover the commit.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);

/// Time limit for the question what the session waits for.
const LOOK_TIMEOUT: Duration = Duration::from_secs(1);

/// A probe that is silent for longer is given up while the server cannot be asked about it.
const GIVE_UP_AFTER: Duration = Duration::from_secs(30);

/// Rows of processes that have ended are deleted after this time.
const ROWS_KEPT: TimeDelta = TimeDelta::days(1);

/// Probes whether the database stores a row.
#[derive(Debug)]
pub(super) struct WriteProbe {
    probed: Shared<Probed>,
    session: Arc<Session>,
    /// Answers what the session waits for.
    observer: Arc<IdleConnection>,
    signs: Arc<StoreSigns>,
}

/// A result, and when its probe began.
#[derive(Clone, Debug)]
struct Probed {
    began: Instant,
    result: Result<(), Cause>,
}

/// The connection of the probe.
#[derive(Debug)]
struct Session {
    share: Share,
    process: Uuid,
    idle: Mutex<Option<Connection>>,
    /// The process id of its backend; 0 before the first one.
    backend: AtomicI32,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    began: Instant,
    task: JoinHandle<Result<(), Cause>>,
}

impl WriteProbe {
    pub(super) fn new(share: Share, observer: Arc<IdleConnection>, signs: Arc<StoreSigns>) -> Self {
        Self {
            probed: Shared::default(),
            session: Arc::new(Session {
                share,
                process: Uuid::now_v7(),
                idle: Mutex::default(),
                backend: AtomicI32::default(),
                running: Mutex::default(),
            }),
            observer,
            signs,
        }
    }

    /// Returns why deliveries cannot be stored. Deliveries of the last seconds show it, else a row is written; a good result is
    /// kept for at most 10 s, a bad one for at most 1 s.
    pub(super) async fn check(&self, cache_for: Duration, now: DateTime<Utc>) -> Result<(), Cause> {
        let failed_at = match self.signs.sign(Instant::now()) {
            Sign::Stored => return Ok(()),
            Sign::Refused(cause) => return Err(cause),
            Sign::Unknown { failed_at } => failed_at,
        };
        let still_holds = |probed: &Probed| {
            let is_newer = failed_at.is_none_or(|failed| failed < probed.began);
            is_newer && (probed.result.is_ok() || probed.began.elapsed() < FAILED_FOR)
        };
        let good_for = if cache_for.is_zero() {
            Duration::ZERO
        } else {
            GOOD_FOR
        };
        let look_up = || {
            let (session, observer) = (Arc::clone(&self.session), Arc::clone(&self.observer));
            async move { session.probe(&observer, now).await }
        };
        let probed = self.probed.get(good_for, still_holds, look_up).await;
        probed.map_or(Err(Cause::NoResponse), |probed| probed.result)
    }
}

impl Session {
    /// Waits for the running probe, or starts one.
    async fn probe(self: Arc<Self>, observer: &IdleConnection, now: DateTime<Utc>) -> Probed {
        let running = self.running().take();
        let limit = match running {
            Some(_) => SLOW_PROBE_TIMEOUT,
            None => COMMIT_TIMEOUT,
        };
        let mut running = running.unwrap_or_else(|| Running {
            began: Instant::now(),
            task: tokio::spawn(Arc::clone(&self).write(now)),
        });
        let asked = Instant::now();
        if let Ok(written) = timeout(limit, &mut running.task).await {
            return Probed {
                began: running.began,
                result: written.unwrap_or(Err(Cause::NoResponse)),
            };
        }
        let (has_ended, cause) = self.look(observer).await;
        if has_ended || (cause.is_unreachable() && running.began.elapsed() > GIVE_UP_AFTER) {
            // Dropping the connection closes its socket.
            running.task.abort();
        } else {
            *self.running() = Some(running);
        }
        Probed {
            began: asked,
            result: Err(cause),
        }
    }

    /// Returns whether the session has ended, and what the commit waits for.
    async fn look(&self, observer: &IdleConnection) -> (bool, Cause) {
        let backend = self.backend.load(Ordering::Relaxed);
        let look = async {
            let mut taken = observer.take().await?;
            let wait = store::wait_of(&mut taken.conn, backend).await?;
            taken.put_back();
            Ok::<_, sqlx::Error>(wait)
        };
        let wait = match timeout(LOOK_TIMEOUT, look).await {
            Err(_) => return (false, Cause::NoResponse),
            Ok(Err(error)) => return (false, Cause::of(&error)),
            Ok(Ok(wait)) => wait,
        };
        let Some(wait) = wait else {
            // 0 while the first connection is being opened.
            return (backend != 0, Cause::NoResponse);
        };
        let cause = match (wait.class.as_deref(), wait.event.as_deref()) {
            (_, Some("SyncRep")) => Cause::WaitingForStandby,
            (Some("Lock"), _) => Cause::WaitingForLock,
            _ => Cause::NoResponse,
        };
        (false, cause)
    }

    /// Writes the row of this process.
    async fn write(self: Arc<Self>, now: DateTime<Utc>) -> Result<(), Cause> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(conn) = idle {
            match self.write_on(conn, now).await {
                // The connection may have been lost since the last probe.
                Err(cause) if is_of_connection(&cause) => {}
                done => return done,
            }
        }
        let conn = self.open_session().await?;
        self.write_on(conn, now).await
    }

    async fn write_on(&self, mut conn: Connection, now: DateTime<Utc>) -> Result<(), Cause> {
        match store::write(&mut conn, self.process, now, now - ROWS_KEPT).await {
            Ok(()) => {
                *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = Some(conn);
                Ok(())
            }
            Err(error) => Err(match Cause::of(&error) {
                Cause::ReadOnly
                    if replication::store::is_in_recovery(&mut conn)
                        .await
                        .unwrap_or(false) =>
                {
                    Cause::InRecovery
                }
                // Its time limit ended the statement while it waited for a lock.
                _ if sqlstate(&error) == "57014" => Cause::WaitingForLock,
                cause => cause,
            }),
        }
    }

    async fn open_session(&self) -> Result<Connection, Cause> {
        self.backend.store(0, Ordering::Relaxed);
        let timeouts = SessionTimeouts {
            statement: STATEMENT_TIMEOUT,
            ..SessionTimeouts::default()
        };
        let connected = async {
            let mut conn = self.share.open(timeouts).await?;
            let backend = store::backend(&mut conn).await?;
            self.backend.store(backend, Ordering::Relaxed);
            let durability = group_commit::durability(&mut conn).await?;
            Ok::<_, sqlx::Error>((conn, durability))
        };
        let (conn, durability) = connected.await.map_err(|error| Cause::of(&error))?;
        if durability.waits_for_disk {
            Ok(conn)
        } else {
            Err(Cause::NotDurable)
        }
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns whether a new connection may do what this one did not.
fn is_of_connection(cause: &Cause) -> bool {
    // An administrator or a restart may have ended the session.
    cause.is_unreachable() || matches!(cause, Cause::StartingOrStopping)
}
