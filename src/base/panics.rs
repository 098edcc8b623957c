//! Turns a panic into an error, so that one defect does not end a background job.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// The work panicked. The panic hook has logged the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a bug: processing panicked; report it, and replay after the fix")]
pub struct Panicked;

/// Runs work and returns its result, or [`Panicked`]. The work is dropped after a panic.
///
/// # Errors
/// Returns [`Panicked`] if the work panics.
pub(crate) async fn catch_panic<T>(work: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut work = pin!(work);
    poll_fn(|cx| {
        catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx)))
            .map_or_else(|_panic| Poll::Ready(Err(Panicked)), |polled| polled.map(Ok))
    })
    .await
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_an_error() {
        let work = async {
            tokio::task::yield_now().await;
            let empty: [u8; 0] = [];
            empty.first().copied().unwrap()
        };
        assert_eq!(catch_panic(work).await, Err(Panicked));
    }

    #[tokio::test]
    async fn a_result_passes_through() {
        assert_eq!(catch_panic(async { 7 }).await, Ok(7));
    }
}
