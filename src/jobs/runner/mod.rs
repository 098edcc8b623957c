//! Runs background jobs: one loop for all of them, with restarts after a panic and an orderly stop.
//!
//! ```text
//!  tick() -> Again ------------------------------> tick()
//!         -> Poll, Wait --> notified or elapsed -> tick()
//!         -> Pause -------> elapsed -------------> tick()
//! ```

pub(crate) mod idle;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::error;

use crate::base::backoff::{Backoff, Jitter, spread};
use crate::base::panics::catch_panic;

/// Before a job that panicked starts again.
const RESTART: Backoff = Backoff {
    base: Duration::from_secs(1),
    cap: Duration::from_mins(1),
    jitter: Jitter::None,
};

/// Work that is repeated until the service stops.
pub trait Job: Send + 'static {
    /// The name in the log.
    const NAME: &'static str;

    /// True if a stop drops a running tick. Otherwise the stop waits for the end of the tick.
    const DROP_ON_STOP: bool = false;

    /// Does the work once. Handles its own failures, and logs them.
    fn tick(&mut self) -> impl Future<Output = Next> + Send;

    /// Called when a notification has ended a wait.
    fn notified(&mut self) {}

    /// Returns the notification that ends a wait early, if there is one.
    fn wakes_on(&self) -> Option<Arc<Notify>> {
        None
    }
}

/// When a job runs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// At once: there may be more to do.
    Again,
    /// When notified, or after three to five quarters of this time, so that replicas do not poll together.
    Poll(Duration),
    /// When notified, or after exactly this time.
    Wait(Duration),
    /// After exactly this time, notified or not.
    Pause(Duration),
}

/// Starts jobs, and stops all of them.
#[derive(Clone, Debug)]
pub(crate) struct Runner {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Runner {
    /// Creates a runner. Its jobs stop with `stop`; `tasks` is empty once they have.
    #[must_use]
    pub(crate) fn new(tasks: TaskTracker, stop: CancellationToken) -> Self {
        Self { tasks, stop }
    }

    /// Starts a job. After a panic it is created again, since its state may be inconsistent.
    pub(crate) fn start<J: Job>(&self, make: impl Fn() -> J + Send + 'static) {
        self.tasks.spawn(supervise(make, self.stop.clone()));
    }
}

async fn supervise<J: Job>(make: impl Fn() -> J, stop: CancellationToken) {
    let mut panics = 0;
    loop {
        let started = Instant::now();
        if catch_panic(run(make(), &stop)).await.is_ok() {
            return;
        }
        panics = if started.elapsed() > RESTART.cap {
            1
        } else {
            panics + 1
        };
        let wait = RESTART.random_wait(panics);
        error!(
            job = J::NAME,
            wait_ms = wait.as_millis(),
            "jobs.supervise: a job panicked; it starts again"
        );
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Repeats a job until `stop` is cancelled. Does not catch panics.
pub async fn run<J: Job>(mut job: J, stop: &CancellationToken) {
    let wakes_on = job.wakes_on();
    while !stop.is_cancelled() {
        // Created before the tick, so that a notification during the tick is not lost.
        let notified = wakes_on.as_ref().map(|notify| notify.notified());
        let next = if J::DROP_ON_STOP {
            match stop.run_until_cancelled(job.tick()).await {
                Some(next) => next,
                None => return,
            }
        } else {
            job.tick().await
        };
        let (wait, may_be_notified) = match next {
            Next::Again => continue,
            Next::Poll(wait) => (spread(wait), true),
            Next::Wait(wait) => (wait, true),
            Next::Pause(wait) => (wait, false),
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = optional(notified), if may_be_notified => job.notified(),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

async fn optional(notified: Option<Notified<'_>>) {
    match notified {
        Some(notified) => notified.await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
