//! Wakes the jobs of other processes, and those of this process when another one has something for them.
//!
//! The receiving process also runs a worker, so other replicas are notified to share a backlog, and to poll often while
//! deliveries come: then they soon find those of a process that ended.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use sqlx::{Acquire, Connection};
use tokio::time::timeout;
use tracing::debug;

use super::Deliveries;
use crate::db::error::error_chain;
use crate::db::notification::{self, CHANNEL, Topic};
use crate::db::pool::Pool;
use crate::engine::Notifications;
use crate::jobs::runner::{Job, Next};

/// Between two notifications of one worker after full batches.
const FULL_BATCH_INTERVAL: Duration = Duration::from_millis(100);
/// Between two notifications of one worker after other batches.
const NOTIFY_INTERVAL: Duration = Duration::from_secs(1);
/// Before another attempt to listen. Polling does the work meanwhile.
const LISTEN_RETRY: Duration = Duration::from_secs(30);
/// After this time without a notification the listener checks that its connection is alive.
const PING_INTERVAL: Duration = Duration::from_mins(1);

impl Deliveries {
    /// Notifies other replicas: at most once a second, or ten times after full batches, since more is probably due then.
    pub(crate) async fn notify_replicas(
        &self,
        notified_at: &mut Option<Instant>,
        processed: usize,
    ) {
        let processed = i64::try_from(processed).unwrap_or(i64::MAX);
        let is_full = processed >= self.config.batch_max_deliveries;
        let interval = if is_full {
            FULL_BATCH_INTERVAL
        } else {
            NOTIFY_INTERVAL
        };
        if notified_at.is_some_and(|at| at.elapsed() < interval) {
            return;
        }
        *notified_at = Some(Instant::now());
        let pool = &self.engine.pool;
        let notified = async {
            let mut conn = pool.acquire().await?;
            notification::store::send_alone(&mut conn, Topic::Deliveries).await
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

/// Wakes the jobs of this process on messages of other processes.
pub struct Listener {
    pool: Pool,
    notifications: Notifications,
}

impl Listener {
    /// Creates a listener with a connection of its own.
    #[must_use]
    pub fn new(pool: Pool, notifications: Notifications) -> Self {
        Self {
            pool,
            notifications,
        }
    }

    fn wake(&self, topic: Topic) {
        let notifications = &self.notifications;
        match topic {
            Topic::Deliveries => notifications.deliveries_arrived.notify_one(),
            Topic::Schedule => notifications.schedule_changed.notify_one(),
            Topic::Reads => notifications.reads_due.notify_one(),
            Topic::Events => notifications.events_recorded.notify_one(),
        }
    }

    async fn listen(&self) -> Result<(), sqlx::Error> {
        let mut connection = self.pool.listening().await?;
        let listener = &mut connection.listener;
        let listening = listener.listen(CHANNEL);
        self.pool
            .with_silence_timeout::<_, sqlx::Error>(listening)
            .await?;
        self.notifications
            .is_listening
            .store(true, Ordering::Relaxed);
        // Messages before this one may be lost.
        for topic in [
            Topic::Deliveries,
            Topic::Schedule,
            Topic::Reads,
            Topic::Events,
        ] {
            self.wake(topic);
        }
        loop {
            if let Ok(notification) = timeout(PING_INTERVAL, listener.try_recv()).await {
                let Some(notification) = notification? else {
                    return Err(sqlx::Error::WorkerCrashed);
                };
                if let Ok(topic) = notification.payload().parse() {
                    self.wake(topic);
                }
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
        let listened = self.listen().await;
        self.notifications
            .is_listening
            .store(false, Ordering::Relaxed);
        if let Err(error) = listened {
            debug!(
                error = error_chain(&error),
                "deliveries.listen: cannot listen; polling"
            );
        }
        Next::Pause(LISTEN_RETRY)
    }
}
