//! Wakes the workers of other replicas when there is more to do than one process handles.
//!
//! `NOTIFY` serialises commits of the whole database, so there is none per delivery: the receiving process also runs a
//! worker, and polling is the fallback.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::{Acquire, Connection};
use tokio::sync::Notify;
use tokio::time::timeout;
use tracing::debug;

use super::Deliveries;
use crate::db::error::error_chain;
use crate::db::pool::Pool;
use crate::ingest::inbox;
use crate::jobs::runner::{Job, Next};

/// Between two notifications of one worker.
const MIN_NOTIFY_INTERVAL: Duration = Duration::from_millis(100);
/// Before another attempt to listen. Behind some connection poolers it never succeeds, and polling does the work.
const LISTEN_RETRY: Duration = Duration::from_secs(30);
/// After this time without a notification the listener checks that its connection is alive.
const PING_INTERVAL: Duration = Duration::from_mins(1);

impl Deliveries {
    /// Notifies other replicas after a full batch, since more is probably due. At most 10 times a second per worker.
    pub(crate) async fn notify_replicas(
        &self,
        notified_at: &mut Option<Instant>,
        processed: usize,
    ) {
        let processed = i64::try_from(processed).unwrap_or(i64::MAX);
        let is_full = processed >= self.config.batch_max_deliveries;
        let is_recent = notified_at.is_some_and(|at| at.elapsed() < MIN_NOTIFY_INTERVAL);
        if !is_full || is_recent {
            return;
        }
        *notified_at = Some(Instant::now());
        let pool = &self.engine.pool;
        let notified = async {
            let mut conn = pool.acquire().await?;
            inbox::store::notify(&mut conn).await
        };
        let notified: Result<(), sqlx::Error> = pool.with_silence_timeout(notified).await;
        if let Err(error) = notified {
            debug!(
                error = error_chain(&error),
                "deliveries.notify: cannot notify other replicas; they poll"
            );
        }
    }
}

/// Wakes this process's workers on notifications of other replicas.
pub struct Listener {
    pool: Pool,
    deliveries_arrived: Arc<Notify>,
}

impl Listener {
    /// Creates a listener with a connection of its own.
    #[must_use]
    pub fn new(pool: Pool, deliveries_arrived: Arc<Notify>) -> Self {
        Self {
            pool,
            deliveries_arrived,
        }
    }

    async fn listen(&self) -> Result<(), sqlx::Error> {
        let mut connection = self.pool.listening().await?;
        let listener = &mut connection.listener;
        let listening = listener.listen(inbox::store::CHANNEL);
        self.pool
            .with_silence_timeout::<_, sqlx::Error>(listening)
            .await?;
        loop {
            if let Ok(notification) = timeout(PING_INTERVAL, listener.try_recv()).await {
                if notification?.is_none() {
                    return Err(sqlx::Error::WorkerCrashed);
                }
                self.deliveries_arrived.notify_one();
            } else {
                let ping = async { listener.acquire().await?.ping().await };
                self.pool.with_silence_timeout(ping).await?;
            }
        }
    }
}

impl Job for Listener {
    const NAME: &'static str = "listener";
    const DROP_ON_STOP: bool = true;

    /// Listens until the connection is lost.
    async fn tick(&mut self) -> Next {
        if let Err(error) = self.listen().await {
            debug!(
                error = error_chain(&error),
                "deliveries.listen: cannot listen; polling"
            );
        }
        Next::Pause(LISTEN_RETRY)
    }
}
