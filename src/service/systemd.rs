//! Reports the state of the service to systemd (`Type=notify`), or to another manager that sets `NOTIFY_SOCKET`.
//!
//! Without `NOTIFY_SOCKET` nothing is sent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::Components;
use crate::db::error::Cause;
use crate::db::pool::RESPONSE_TIMEOUT;

/// Between two reports while the service starts.
const START_REPORTS: Duration = Duration::from_secs(5);
/// Each of them extends the time limit of the start by this, since a database may be away for long.
const START_EXTENSION: Duration = Duration::from_mins(1);
/// How long the end of jobs and connections takes, after the requests in flight.
const END_OF_JOBS: Duration = Duration::from_secs(20);

/// Reports from the start to the end of a service.
pub(super) struct Reports {
    pub(super) components: Arc<Components>,
    /// Cancelled once the service accepts deliveries.
    pub(super) ready: CancellationToken,
    pub(super) stop: CancellationToken,
    /// The status of a running service.
    pub(super) status: String,
}

impl Reports {
    /// Reports the start, then that the service is ready, then that it works, until the stop.
    pub(super) async fn run(self) {
        while !self.ready.is_cancelled() {
            let cause = self.components.state.intake.signs().start_failure();
            let cause = cause
                .as_ref()
                .map_or("connecting, or migrations are pending", Cause::name);
            send(&[
                NotifyState::Status(&format!("Waiting for the database: {cause}")),
                NotifyState::ExtendTimeoutUsec(micros(START_EXTENSION)),
            ]);
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.ready.cancelled() => {}
                () = tokio::time::sleep(START_REPORTS) => {}
            }
        }
        send(&[NotifyState::Ready, NotifyState::Status(&self.status)]);
        if let Some(watchdog) = sd_notify::watchdog_enabled() {
            self.report_progress(watchdog).await;
        }
    }

    /// Sends a sign of life four times in the time of the watchdog, while the main jobs make progress.
    async fn report_progress(&self, watchdog: Duration) {
        let limit = watchdog / 2;
        if limit <= RESPONSE_TIMEOUT {
            let seconds = watchdog.as_secs_f64();
            let at_least = 2 * RESPONSE_TIMEOUT.as_secs() + 10;
            warn!(
                seconds,
                "service.watchdog: `WatchdogSec` is short; a wait for the database may take {}s, so set {at_least}s or more",
                RESPONSE_TIMEOUT.as_secs()
            );
        }
        let mut was_stalled = false;
        loop {
            let stalled_for = self.components.liveness.stalled_for(Instant::now());
            let is_stalled = stalled_for > limit;
            if is_stalled {
                let seconds = stalled_for.as_secs();
                if !was_stalled {
                    error!(
                        seconds,
                        "service.watchdog: a job hangs; systemd restarts the service unless it goes on"
                    );
                }
                let status = format!("A job has made no progress for {seconds} s");
                send(&[NotifyState::Status(&status)]);
            } else {
                send(&[NotifyState::Watchdog]);
                if was_stalled {
                    info!("service.watchdog: the job goes on");
                    send(&[NotifyState::Status(&self.status)]);
                }
            }
            was_stalled = is_stalled;
            let next = self
                .stop
                .run_until_cancelled(tokio::time::sleep(watchdog / 4));
            if next.await.is_none() {
                return;
            }
        }
    }
}

/// Reports that the configuration is read again. [`reloaded`] must follow.
pub(crate) fn reloading() {
    // systemd 253 and newer need the time with it.
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        send(&[NotifyState::Reloading, now]);
    }
}

/// Reports that the configuration has been read again.
pub(crate) fn reloaded() {
    send(&[NotifyState::Ready]);
}

/// Reports the stop, which may take as long as the requests in flight.
pub(crate) fn stopping(drain: Duration) {
    send(&[
        NotifyState::Stopping,
        NotifyState::Status("Finishing the requests in flight"),
        NotifyState::ExtendTimeoutUsec(micros(drain + END_OF_JOBS)),
    ]);
}

/// A manager that does not listen changes nothing for the service.
fn send(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        debug!(%error, "service.notify: cannot report to the service manager");
    }
}

fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}
