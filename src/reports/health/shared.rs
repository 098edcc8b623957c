//! A look-up that requests share: one at a time, and none while the last result is young.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// The last result, and the look-up in progress.
#[derive(Debug)]
pub(super) struct Shared<T>(Arc<Mutex<State<T>>>);

#[derive(Debug)]
struct State<T> {
    last: Option<(Instant, T)>,
    running: Option<watch::Receiver<Option<T>>>,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State {
            last: None,
            running: None,
        })))
    }
}

impl<T: Clone + Send + Sync + 'static> Shared<T> {
    /// Returns the last result if it is younger than `keep_for` and still holds. Otherwise waits for the look-up in
    /// progress, or starts one. It runs in the background: a client that disconnects does not end it for others.
    ///
    /// Returns `None` if the look-up panicked.
    pub(super) async fn get<F: Future<Output = T> + Send + 'static>(
        &self,
        keep_for: Duration,
        still_holds: impl Fn(&T) -> bool,
        look_up: impl FnOnce() -> F,
    ) -> Option<T> {
        let mut result = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((at, last)) = &state.last
                && at.elapsed() < keep_for
                && still_holds(last)
            {
                return Some(last.clone());
            }
            match &state.running {
                Some(running) if running.has_changed().is_ok() => running.clone(),
                _ => {
                    let (sender, receiver) = watch::channel(None);
                    state.running = Some(receiver.clone());
                    let (shared, look_up) = (Arc::clone(&self.0), look_up());
                    tokio::spawn(async move {
                        let found = look_up.await;
                        let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
                        state.last = Some((Instant::now(), found.clone()));
                        state.running = None;
                        drop(state);
                        sender.send_replace(Some(found));
                    });
                    receiver
                }
            }
        };
        let found = result.wait_for(Option::is_some).await.ok()?;
        found.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;
    use tokio::task::JoinSet;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    /// Counts look-ups, each of which waits for `go`.
    #[derive(Default)]
    struct Source {
        started: AtomicUsize,
        go: Notify,
    }

    impl Source {
        async fn look_up(self: Arc<Self>) -> usize {
            let n = self.started.fetch_add(1, Ordering::Relaxed);
            self.go.notified().await;
            n
        }
    }

    #[tokio::test]
    async fn requests_share_one_look_up_though_the_first_is_gone() {
        let (shared, source) = (Arc::new(Shared::default()), Arc::new(Source::default()));
        let ask = |keep_for| {
            let (shared, source) = (Arc::clone(&shared), Arc::clone(&source));
            async move { shared.get(keep_for, |_| true, || source.look_up()).await }
        };
        let mut first = Box::pin(ask(HOUR));
        assert!(is_pending(first.as_mut()).await);
        drop(first);
        let mut waiting = JoinSet::new();
        for _ in 0..100 {
            waiting.spawn(ask(HOUR));
        }
        source.go.notify_one();
        assert_eq!(waiting.join_all().await, vec![Some(0); 100]);
        assert_eq!(ask(HOUR).await, Some(0));
        source.go.notify_one();
        assert_eq!(ask(Duration::ZERO).await, Some(1));
    }

    /// Polls once.
    async fn is_pending<F: Future + Unpin>(mut future: F) -> bool {
        std::future::poll_fn(|cx| {
            std::task::Poll::Ready(std::pin::Pin::new(&mut future).poll(cx).is_pending())
        })
        .await
    }

    #[tokio::test]
    async fn a_panic_in_a_look_up_ends_one_round_only() {
        let shared = Shared::<usize>::default();
        let panics = async || -> usize { panic!("this look-up always panics") };
        assert_eq!(shared.get(HOUR, |_| true, panics).await, None);
        assert_eq!(shared.get(HOUR, |_| true, async || 7).await, Some(7));
        assert_eq!(
            shared.get(HOUR, |found| *found == 8, async || 8).await,
            Some(8)
        );
    }
}
