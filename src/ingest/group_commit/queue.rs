//! Where deliveries wait for a flush.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::StoreError;
use super::budget::Reservation;
use crate::ingest::inbox::arrivals::{NewArrival, Receipt};

/// A delivery that somebody waits for. Dropping it tells them that it was not stored.
#[derive(Debug)]
pub(super) struct PendingInsert {
    pub(super) arrival: NewArrival,
    /// When the sender is told to come again.
    pub(super) deadline: Instant,
    /// Whoever waited may be gone; the delivery is written all the same.
    pub(super) answer: oneshot::Sender<Result<Receipt, StoreError>>,
    /// The memory that it takes, free again when it is answered.
    pub(super) reservation: Reservation,
}

impl PendingInsert {
    /// Lets the sender be answered.
    pub(super) fn complete(self, answer: Result<Receipt, StoreError>) {
        drop(self.reservation);
        // The sender may have hung up.
        let _ = self.answer.send(answer);
    }
}

/// How much one batch takes at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct BatchLimit {
    pub(super) rows: usize,
    /// Of bodies; the last delivery of a batch may go beyond it.
    pub(super) bytes: usize,
}

/// First in, first out, with an upper bound, for several takers.
#[derive(Debug)]
pub(super) struct Queue {
    capacity: usize,
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: VecDeque<PendingInsert>,
    closed: bool,
}

impl Queue {
    pub(super) fn with_room_for(capacity: usize) -> Self {
        Self {
            capacity,
            inner: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Lines up. Where there is no room or no taker any more, the sender is told so.
    pub(super) fn push(&self, waiting: PendingInsert) {
        let mut inner = self.lock();
        if inner.closed || inner.waiting.len() >= self.capacity {
            drop(inner);
            return waiting.complete(Err(StoreError::Full));
        }
        inner.waiting.push_back(waiting);
        drop(inner);
        self.changed.notify_one();
    }

    /// Whatever waits, as much as a batch takes, as soon as anything does; `None` once it is closed and empty.
    pub(super) async fn take(&self, limit: BatchLimit) -> Option<Vec<PendingInsert>> {
        loop {
            let changed = self.changed.notified();
            {
                let mut inner = self.lock();
                if !inner.waiting.is_empty() {
                    let batch = inner.batch(limit);
                    if inner.closed || !inner.waiting.is_empty() {
                        self.changed.notify_one();
                    }
                    return Some(batch);
                }
                if inner.closed {
                    self.changed.notify_one();
                    return None;
                }
            }
            changed.await;
        }
    }

    /// Lets nobody in any more; what waits is still taken.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing is half done where a panic could come.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn batch(&mut self, limit: BatchLimit) -> Vec<PendingInsert> {
        let mut bytes = 0;
        let within = |waiting: &&PendingInsert| {
            let fits = bytes < limit.bytes;
            bytes += waiting.arrival.delivery.body().len();
            fits
        };
        let count = self.waiting.iter().take(limit.rows).take_while(within);
        let count = count.count();
        self.waiting.drain(..count).collect()
    }
}
