//! The backends of this process in Postgres, at most `database.max_connections` (ADR 0014).
//!
//! A connection that is given up can leave a backend that hangs: in a commit that waits for a standby, or on a lock. Postgres
//! does not detect the closed socket meanwhile. So each connection has a place in the share of its owner. The place is free
//! again when the backend has ended, and no earlier. [`reaper`] ends backends that were given up.

mod connection;
mod limits;
mod listening;
mod reaper;
mod split;
mod store;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use self::connection::Connection;
use self::connection::Opening;
pub use self::limits::{Limits, TooFewConnections};
pub(crate) use self::listening::Listening;
use self::reaper::Reaper;
pub use self::split::{MIN_CONNECTIONS, Split};
use super::connection::{ConnectSource, SessionTimeouts};
use super::error::{Cause, is_connection_limit};

/// After the server has refused a connection of receiving, jobs open none for this time.
const GIVE_WAY_FOR: Duration = Duration::from_secs(2);

/// All shares of a process.
#[derive(Clone, Debug)]
pub struct Backends {
    /// Inserts of new deliveries.
    pub receiving: Share,
    /// Records repeated deliveries.
    pub duplicates: Share,
    /// Health and readiness.
    pub health: Share,
    /// Work that one replica does at a time.
    pub locks: Share,
    /// Notifications of other replicas.
    pub listening: Share,
    /// All other work.
    pub jobs: Share,
    reaper: Reaper,
}

impl Backends {
    /// Creates the shares. Opens no connection.
    #[must_use]
    pub fn new(source: impl Into<ConnectSource>, connections: u32) -> Self {
        Self::with_split(&source.into(), Split::of(connections))
    }

    pub(super) fn with_split(source: &ConnectSource, split: Split) -> Self {
        let locks = Arc::new(Semaphore::new(split.locks as usize));
        let reaper = Reaper::new(source.clone(), Arc::clone(&locks));
        let priority = Priority::default();
        let share = |connections: u32, places, is_receiving| Share {
            source: source.clone(),
            size: Arc::new(AtomicU32::new(connections)),
            places,
            reaper: reaper.clone(),
            priority: priority.clone(),
            is_receiving,
        };
        let own = |connections: u32, is_receiving| {
            let places = Arc::new(Semaphore::new(connections as usize));
            share(connections, places, is_receiving)
        };
        Self {
            receiving: own(split.receiving, true),
            duplicates: own(split.duplicates, true),
            health: own(split.health, false),
            locks: share(split.locks, locks, false),
            listening: own(split.listening, false),
            jobs: own(split.jobs, false),
            reaper,
        }
    }

    /// Lowers the shares to those of this number of connections, where the server allows no more. Never raises one.
    pub fn lower_to(&self, connections: u32) {
        let split = Split::of(connections);
        for (share, connections) in [
            (&self.receiving, split.receiving),
            (&self.duplicates, split.duplicates),
            (&self.health, split.health),
            (&self.locks, split.locks),
            (&self.listening, split.listening),
            (&self.jobs, split.jobs),
        ] {
            share.lower_to(connections);
        }
    }

    /// Opens the connection that ends others, so that it is there when the server has no free one.
    pub(crate) async fn open_control(&self) {
        self.reaper.connect().await;
    }
}

/// The connections of one part of the service.
#[derive(Clone, Debug)]
pub struct Share {
    source: ConnectSource,
    size: Arc<AtomicU32>,
    places: Arc<Semaphore>,
    reaper: Reaper,
    priority: Priority,
    is_receiving: bool,
}

/// A place for one backend.
pub(crate) type Place = OwnedSemaphorePermit;

impl Share {
    /// Returns how many backends this share can have.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.size.load(Ordering::Relaxed)
    }

    /// Waits for a place.
    ///
    /// # Errors
    /// Returns [`sqlx::Error::PoolTimedOut`] if the share has none.
    pub(crate) async fn place(&self) -> Result<Place, sqlx::Error> {
        if self.size() == 0 {
            return Err(sqlx::Error::PoolTimedOut);
        }
        let place = Arc::clone(&self.places).acquire_owned().await;
        place.map_err(|_| sqlx::Error::PoolClosed)
    }

    /// Returns a place if one is free.
    pub(crate) fn try_place(&self) -> Option<Place> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// Waits for a place and opens a connection.
    ///
    /// # Errors
    /// Returns why no connection could be made.
    pub(crate) async fn open(&self, timeouts: SessionTimeouts) -> Result<Connection, sqlx::Error> {
        let place = self.place().await?;
        self.open_in(place, timeouts).await
    }

    /// Opens a connection in this place. If the future is dropped, the place stays taken until the server has answered others.
    ///
    /// # Errors
    /// Returns why no connection could be made.
    pub(crate) async fn open_in(
        &self,
        place: Place,
        timeouts: SessionTimeouts,
    ) -> Result<Connection, sqlx::Error> {
        while !self.is_receiving && self.priority.is_given() {
            tokio::time::sleep(GIVE_WAY_FOR / 20).await;
        }
        let opening = Opening::new(place, self.reaper.clone());
        let opened = opening.open(&self.source, timeouts).await;
        if self.is_receiving
            && let Err(error) = &opened
            && is_connection_limit(error)
        {
            self.priority.give();
        }
        opened
    }

    /// Returns why no place becomes free, if the server does not confirm the end of others.
    pub(crate) fn problem(&self) -> Option<Cause> {
        self.reaper.problem()
    }

    /// Returns true while connections of this share must be closed, because the server refused one of receiving.
    pub(crate) fn must_give_way(&self) -> bool {
        !self.is_receiving && self.priority.is_given()
    }

    pub(crate) fn source(&self) -> &ConnectSource {
        &self.source
    }

    pub(super) fn reaper(&self) -> &Reaper {
        &self.reaper
    }

    fn lower_to(&self, connections: u32) {
        let before = self.size.fetch_min(connections, Ordering::Relaxed);
        let surplus = before.saturating_sub(connections);
        let forgotten = self.places.forget_permits(surplus as usize);
        // A place in use is taken away when it is free.
        let left = surplus - u32::try_from(forgotten).unwrap_or(surplus);
        if left > 0 {
            let places = Arc::clone(&self.places);
            tokio::spawn(async move {
                if let Ok(place) = places.acquire_many_owned(left).await {
                    place.forget();
                }
            });
        }
    }
}

/// When the server last refused a connection of receiving.
#[derive(Clone, Debug, Default)]
struct Priority(Arc<Mutex<Option<Instant>>>);

impl Priority {
    fn give(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn is_given(&self) -> bool {
        let given = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        given.is_some_and(|at| at.elapsed() < GIVE_WAY_FOR)
    }
}
