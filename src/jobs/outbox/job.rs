//! The jobs: one for each destination, and one that wakes them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::Sender;
use crate::jobs::runner::idle::{IdleWait, Now};
use crate::jobs::runner::{Job, Next, Runner};

/// Between two looks at the clock. The database is queried less often, see [`IdleWait`].
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// The longest wait of the job that wakes others.
const WAKE_INTERVAL: Duration = Duration::from_hours(1);

/// Starts the jobs of these destinations.
pub(crate) fn start(runner: &Runner, senders: &[Arc<Sender>], stop: &CancellationToken) {
    let Some(first) = senders.first() else {
        return;
    };
    let recorded = Arc::clone(&first.engine.notifications.events_recorded);
    let mut wakes = vec![];
    for sender in senders {
        let (sender, stop) = (Arc::clone(sender), stop.clone());
        let wake = Arc::new(Notify::new());
        wakes.push(Arc::clone(&wake));
        runner.start(move || SenderJob {
            sender: Arc::clone(&sender),
            wake: Arc::clone(&wake),
            stop: stop.clone(),
            idle: IdleWait::default(),
        });
    }
    runner.start(move || WakeJob {
        recorded: Arc::clone(&recorded),
        wakes: wakes.clone(),
        is_notified: false,
    });
}

/// Sends the events of one destination, until stopped.
struct SenderJob {
    sender: Arc<Sender>,
    wake: Arc<Notify>,
    /// Ends a batch early.
    stop: CancellationToken,
    idle: IdleWait,
}

impl Job for SenderJob {
    const NAME: &'static str = "events";

    fn wakes_on(&self) -> Option<Arc<Notify>> {
        Some(Arc::clone(&self.wake))
    }

    fn notified(&mut self) {
        self.idle.end();
    }

    async fn tick(&mut self) -> Next {
        let engine = &self.sender.engine;
        let now = Now::of(&*engine.clock);
        let is_listening = &engine.notifications.is_listening;
        if self.idle.is_idle(POLL_INTERVAL, is_listening, now) {
            return Next::Poll(self.idle.tick_after(POLL_INTERVAL, now));
        }
        match self.sender.round(&self.stop).await {
            Ok(round) if round.claimed == 0 => {
                self.idle.begin(round.next_at, now);
                Next::Poll(self.idle.tick_after(POLL_INTERVAL, now))
            }
            Ok(_) => {
                self.idle.end();
                Next::Again
            }
            Err(error) => {
                self.idle.end();
                let destination = self.sender.name();
                warn!(destination, %error, "events.run: cannot send now; the events wait");
                Next::Poll(POLL_INTERVAL)
            }
        }
    }
}

/// Wakes the job of each destination when an event was recorded: a notification wakes one job only.
struct WakeJob {
    recorded: Arc<Notify>,
    wakes: Vec<Arc<Notify>>,
    is_notified: bool,
}

impl Job for WakeJob {
    const NAME: &'static str = "events_wake";

    fn wakes_on(&self) -> Option<Arc<Notify>> {
        Some(Arc::clone(&self.recorded))
    }

    fn notified(&mut self) {
        self.is_notified = true;
    }

    async fn tick(&mut self) -> Next {
        if std::mem::take(&mut self.is_notified) {
            for wake in &self.wakes {
                wake.notify_one();
            }
        }
        Next::Wait(WAKE_INTERVAL)
    }
}
