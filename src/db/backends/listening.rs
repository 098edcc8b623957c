//! A connection for `LISTEN`. sqlx's listener takes its connection from a pool of sqlx only.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::PgPool;
use sqlx::postgres::{PgListener, PgPoolOptions};

use super::reaper::GivenUp;
use super::store::{self, Backend};
use super::{Place, Share};
use crate::db::connection::{self, SessionTimeouts};

/// Time limit for the connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A listener with a place in the share.
#[derive(Debug)]
pub(crate) struct Listening {
    /// Listens to nothing yet.
    pub(crate) listener: PgListener,
    _ending: Ending,
}

/// Hands the place over at the end.
#[derive(Debug)]
struct Ending {
    share: Share,
    place: Option<Place>,
    backend: Arc<Mutex<Option<Backend>>>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let backend = *self.backend.lock().unwrap_or_else(PoisonError::into_inner);
        self.share.reaper().hand_over(GivenUp {
            _place: self.place.take(),
            backend,
            is_closed: false,
            since: Instant::now(),
        });
    }
}

impl Listening {
    /// Waits for a place and connects.
    ///
    /// # Errors
    /// Returns why no connection could be made.
    pub(crate) async fn open(
        share: &Share,
        timeouts: SessionTimeouts,
    ) -> Result<Self, sqlx::Error> {
        let place = share.place().await?;
        let backend = Arc::<Mutex<Option<Backend>>>::default();
        let ending = Ending {
            share: share.clone(),
            place: Some(place),
            backend: Arc::clone(&backend),
        };
        // Each new connection needs a new check of the server, so the pool is made for one.
        let options = share.source().usable().await?;
        let must_write = share.source().current().must_write();
        let pool: PgPool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(CONNECT_TIMEOUT)
            .after_connect(move |conn, _| {
                let backend = Arc::clone(&backend);
                Box::pin(async move {
                    connection::prepare(conn, timeouts, must_write).await?;
                    let found = store::identify(conn).await?;
                    *backend.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
                    Ok(())
                })
            })
            .connect_lazy_with(options);
        let mut listener = PgListener::connect_with(&pool).await?;
        // A new connection needs a new check of the server, so a lost one ends this.
        listener.eager_reconnect(false);
        Ok(Self {
            listener,
            _ending: ending,
        })
    }
}
