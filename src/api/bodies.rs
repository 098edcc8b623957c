//! Reads a webhook's body into memory that is taken as bytes arrive, within the budget of all bodies.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::timeout;

use super::AppState;
use super::error::ApiError;
use super::slots::{FreedMemory, Slot};
use crate::ingest::group_commit::{MemoryBudget, Reservation};

/// How long a body waits for memory.
const MEMORY_DEADLINE: Duration = Duration::from_millis(500);
/// It tries again after this pause: the memory of another body may be freed by then.
const MEMORY_PAUSE: Duration = Duration::from_millis(25);
/// The connection that was closed frees its memory when its task runs, on a busy machine within this time.
const EVICTION_PAUSE: Duration = Duration::from_millis(100);

/// A body in progress.
struct Buffer<'a> {
    bytes: Vec<u8>,
    /// Length that the head declares, otherwise the longest allowed one.
    expected: usize,
    reservation: Reservation,
    budget: &'a MemoryBudget,
    /// Bytes that this client leaves free for clients that are known.
    keep_free: usize,
    /// The connection, unless a test calls the router directly.
    slot: Option<&'a Slot>,
}

/// Reads the raw bytes, at most `server.max_body` within `server.body_timeout`, and reserves the memory that they take. A
/// declared length above the limit fails before a byte is read, and a smaller one reserves nothing. Bodies are not decoded.
pub(super) async fn read(
    state: &AppState,
    headers: &HeaderMap,
    body: Body,
    slot: Option<&Arc<Slot>>,
) -> Result<(Bytes, Reservation), ApiError> {
    let declared = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<u64>().ok());
    if declared.is_some_and(|length| length > state.max_body_bytes as u64) {
        return Err(ApiError::TooLarge);
    }
    let declared = declared.and_then(|length| usize::try_from(length).ok());
    let budget = state.intake.budget();
    let slot = slot.map(|slot| &**slot);
    let keep_free = match slot {
        Some(slot) if !slot.is_known() => reserved_share(budget.total(), state.max_body_bytes),
        _ => 0,
    };
    // Without a slot there is no other client to be closed.
    if slot.is_none() && !budget.has_capacity(declared.unwrap_or_default()) {
        return Err(ApiError::Overloaded);
    }
    let mut buffer = Buffer {
        bytes: Vec::new(),
        expected: declared.unwrap_or(state.max_body_bytes),
        reservation: budget.reserve(),
        budget,
        keep_free,
        slot,
    };
    let read = async {
        let mut body = Limited::new(body, state.max_body_bytes);
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame.map_err(|error| body_error(&error))?.into_data() {
                buffer.append(&data).await?;
            }
        }
        Ok(())
    };
    let read = timeout(state.body_timeout, read).await;
    read.unwrap_or(Err(ApiError::Incomplete))?;
    Ok((Bytes::from(buffer.bytes), buffer.reservation))
}

/// Returns how much of the budget is reserved for known clients: a quarter, but never so much that the largest body of an
/// unknown one does not fit.
fn reserved_share(budget: usize, max_body: usize) -> usize {
    (budget / 4).min(budget.saturating_sub(max_body))
}

impl Buffer<'_> {
    /// Copies the bytes: a frame would keep the connection's whole buffer alive.
    async fn append(&mut self, data: &[u8]) -> Result<(), ApiError> {
        let needed = self.bytes.len() + data.len();
        if needed > self.bytes.capacity() {
            let capacity = grown(self.bytes.capacity(), needed, self.expected);
            self.take(capacity - self.bytes.capacity()).await?;
            self.bytes.reserve_exact(capacity - self.bytes.len());
            if let Some(slot) = self.slot {
                slot.set_body_bytes(capacity);
            }
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    /// Takes memory from the budget, if need be that of bodies which are received for longer.
    async fn take(&mut self, bytes: usize) -> Result<(), ApiError> {
        let deadline = Instant::now() + MEMORY_DEADLINE;
        loop {
            let freed = self.budget.freed();
            if self.reservation.try_grow(bytes, self.keep_free) {
                return Ok(());
            }
            let Some(slot) = self.slot else {
                return Err(ApiError::Overloaded);
            };
            let pause = match slot.evict_body(Instant::now()) {
                FreedMemory::Now => EVICTION_PAUSE,
                FreedMemory::Later if Instant::now() < deadline => MEMORY_PAUSE,
                FreedMemory::Later | FreedMemory::Never => return Err(ApiError::Overloaded),
            };
            // Freed bytes end the pause. Others may have taken them then.
            let _ = timeout(pause, freed).await;
        }
    }
}

/// Returns the next capacity of a buffer: twice the last one, so that few copies are made, but no more than is expected.
fn grown(capacity: usize, needed: usize, expected: usize) -> usize {
    needed.max(capacity.saturating_mul(2).min(expected))
}

fn body_error(error: &axum::BoxError) -> ApiError {
    if error.is::<LengthLimitError>() {
        ApiError::TooLarge
    } else {
        ApiError::Incomplete
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_grows_with_what_arrives() {
        let mib = 1 << 20;
        assert_eq!(grown(0, 100, 10 * mib), 100);
        assert_eq!(grown(0, 8_000, 8_000), 8_000);
        assert_eq!(grown(8_000, 8_100, 10 * mib), 16_000);
        assert_eq!(grown(6 * mib, 6 * mib + 1, 10 * mib), 10 * mib);
        assert_eq!(grown(8_000, 20_000, 10 * mib), 20_000);
    }

    #[test]
    fn the_largest_body_of_an_unknown_client_fits() {
        assert_eq!(reserved_share(256, 10), 64);
        assert_eq!(reserved_share(12, 10), 2);
        assert_eq!(reserved_share(10, 10), 0);
    }
}
