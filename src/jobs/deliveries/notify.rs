//! Wakes other replicas when there is more to do than one can take at once. Notifications hold a lock of the whole
//! database while they commit, so there is none for each delivery: whoever stored it has a worker beside it, and a
//! poll stands behind both.

use std::time::{Duration, Instant};

use sqlx::postgres::PgListener;
use sqlx::{Acquire, Connection};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::debug;
use uuid::Uuid;

use crate::db::error::chain;
use crate::engine::Engine;
use crate::ingest::inbox;

/// Between two calls of one worker.
const SHORTEST: Duration = Duration::from_millis(100);
/// Before listening is tried again: behind some poolers it never succeeds, and the poll does the work.
const DEAF: Duration = Duration::from_secs(30);
/// After so long without a call the listening connection is asked whether it lives.
const QUIET: Duration = Duration::from_mins(1);

impl Engine {
    /// After a full batch there is probably more: calls the other replicas, not more than ten times a second.
    pub(crate) async fn notify_replicas(&self, called_at: &mut Option<Instant>, processed: usize) {
        let is_full = i64::try_from(processed).unwrap_or(i64::MAX) >= self.limits.batch;
        let is_recent = called_at.is_some_and(|at| at.elapsed() < SHORTEST);
        if !is_full || is_recent {
            return;
        }
        *called_at = Some(Instant::now());
        let called = async {
            let mut conn = self.pool.acquire().await?;
            inbox::store::notify(&mut conn).await
        };
        let called: Result<(), sqlx::Error> = self.pool.heard(called).await;
        if let Err(error) = called {
            debug!(
                error = chain(&error),
                "worker.bell: cannot call; others poll"
            );
        }
    }

    /// Wakes the worker when another replica calls, until stopped.
    pub async fn run_listener(&self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let heard = tokio::select! {
                () = stop.cancelled() => break,
                heard = self.listen() => heard,
            };
            if let Err(error) = heard {
                debug!(error = chain(&error), "worker.bell: cannot listen; polling");
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(DEAF) => {}
            }
        }
    }

    async fn listen(&self) -> Result<(), sqlx::Error> {
        let single = self.pool.single();
        let mut listener = PgListener::connect_with(&single).await?;
        let listening = listener.listen(inbox::store::CHANNEL);
        self.pool.heard::<_, sqlx::Error>(listening).await?;
        loop {
            if let Ok(called) = timeout(QUIET, listener.recv()).await {
                called?;
                self.arrived.notify_one();
            } else {
                // Nobody has called, or nothing comes through any more.
                let asked = async { listener.acquire().await?.ping().await };
                self.pool.heard(asked).await?;
            }
        }
    }
}

/// A wait of about this long, by chance a quarter more or less, so that replicas do not all look at once.
pub(crate) fn jittered(wait: Duration) -> Duration {
    let [.., chance] = *Uuid::new_v4().as_bytes();
    wait.mul_f64(0.75 + f64::from(chance) / 510.0)
}
