//! Progress of work that must not hang, for the watchdog of a service manager.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Progress of one kind of work, of which several may run at once.
#[derive(Debug, Default)]
pub(crate) struct Progress(Mutex<Running>);

#[derive(Debug, Default)]
struct Running {
    next_id: u64,
    /// The last poll of each one that runs.
    polled_at: HashMap<u64, Instant>,
}

impl Progress {
    /// Runs work, and records each poll of it. The database's response, or the end of a time limit, is a poll.
    pub(crate) async fn record<T>(&self, work: impl Future<Output = T>) -> T {
        let run = Run::begin(self);
        // Boxed because these futures are large.
        let mut work = Box::pin(work);
        poll_fn(|cx| {
            run.polled();
            let polled = work.as_mut().poll(cx);
            run.polled();
            polled
        })
        .await
    }

    /// Returns how long no running work of this kind has made progress; 0 if none runs.
    ///
    /// One of them may wait for another one, so the last progress of any counts.
    pub(crate) fn stalled_for(&self, now: Instant) -> Duration {
        let running = self.running();
        let last = running.polled_at.values().max();
        last.map_or(Duration::ZERO, |at| now.saturating_duration_since(*at))
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Work that runs, until this is dropped.
struct Run<'p> {
    progress: &'p Progress,
    id: u64,
}

impl<'p> Run<'p> {
    fn begin(progress: &'p Progress) -> Self {
        let mut running = progress.running();
        let id = running.next_id;
        running.next_id += 1;
        running.polled_at.insert(id, Instant::now());
        Self { progress, id }
    }

    fn polled(&self) {
        let mut running = self.progress.running();
        running.polled_at.insert(self.id, Instant::now());
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.progress.running().polled_at.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn work_that_is_not_polled_stalls() {
        let progress = Progress::default();
        let mut hanging = Box::pin(progress.record(std::future::pending::<()>()));
        assert_eq!(
            progress.stalled_for(Instant::now() + MINUTE),
            Duration::ZERO
        );
        poll_once(&mut hanging).await;
        assert!(progress.stalled_for(Instant::now() + MINUTE) >= MINUTE);
        drop(hanging);
        assert_eq!(
            progress.stalled_for(Instant::now() + MINUTE),
            Duration::ZERO
        );
    }

    #[tokio::test]
    async fn each_poll_is_progress() {
        let progress = Progress::default();
        let mut waiting = Box::pin(progress.record(std::future::pending::<()>()));
        poll_once(&mut waiting).await;
        let first = Instant::now();
        poll_once(&mut waiting).await;
        assert!(progress.stalled_for(first + MINUTE) <= MINUTE);
    }

    #[tokio::test]
    async fn work_that_waits_for_other_work_does_not_stall() {
        let progress = Progress::default();
        let mut waiting = Box::pin(progress.record(std::future::pending::<()>()));
        poll_once(&mut waiting).await;
        let later = Instant::now();
        let mut moving = Box::pin(progress.record(std::future::pending::<()>()));
        poll_once(&mut moving).await;
        assert!(progress.stalled_for(later + MINUTE) <= MINUTE);
    }

    async fn poll_once(work: &mut (impl Future<Output = ()> + Unpin)) {
        let polled = poll_fn(|cx| std::task::Poll::Ready(std::pin::Pin::new(&mut *work).poll(cx)));
        assert!(polled.await.is_pending());
    }
}
