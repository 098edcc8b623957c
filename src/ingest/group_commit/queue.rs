//! The queue of deliveries that wait for a flush.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::StoreError;
use super::budget::Reservation;
use crate::ingest::inbox::arrivals::{NewArrival, Receipt};

/// How often a flusher without a connection looks for the end.
const CLOSED_INTERVAL: Duration = Duration::from_millis(50);

/// A delivery to be stored, and the request that waits for it. Dropping it fails the request.
#[derive(Debug)]
pub(super) struct PendingInsert {
    pub(super) arrival: NewArrival,
    /// When the request fails.
    pub(super) deadline: Instant,
    pub(super) result: oneshot::Sender<Result<Receipt, StoreError>>,
    /// The memory of the body.
    pub(super) reservation: Reservation,
}

impl PendingInsert {
    /// Frees the memory and returns the result to the request.
    pub(super) fn complete(self, result: Result<Receipt, StoreError>) {
        drop(self.reservation);
        // Fails if the sender has disconnected; the delivery is stored all the same.
        let _ = self.result.send(result);
    }
}

/// The size of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct BatchLimit {
    pub(super) rows: usize,
    /// Bytes of bodies; the last delivery of a batch may exceed it.
    pub(super) bytes: usize,
}

/// A bounded first-in-first-out queue for several consumers.
#[derive(Debug)]
pub(super) struct Queue {
    capacity: usize,
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    pending: VecDeque<PendingInsert>,
    closed: bool,
}

impl Queue {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self {
            capacity,
            inner: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Returns the number of pending inserts.
    pub(super) fn len(&self) -> usize {
        self.lock().pending.len()
    }

    /// Appends an insert. Fails its request if the queue is full or closed.
    pub(super) fn push(&self, pending: PendingInsert) {
        let mut inner = self.lock();
        if inner.closed || inner.pending.len() >= self.capacity {
            drop(inner);
            return pending.complete(Err(StoreError::Full));
        }
        inner.pending.push_back(pending);
        drop(inner);
        self.changed.notify_one();
    }

    /// Waits for an insert and takes a batch; `None` once the queue is closed and empty.
    pub(super) async fn take(&self, limit: BatchLimit) -> Option<Vec<PendingInsert>> {
        loop {
            let changed = self.changed.notified();
            {
                let mut inner = self.lock();
                if !inner.pending.is_empty() {
                    let batch = inner.batch(limit);
                    // `notify_one` wakes one consumer, so each wakes the next while there is work.
                    if inner.closed || !inner.pending.is_empty() {
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

    /// Returns once the queue is closed.
    pub(super) async fn closed(&self) {
        while !self.lock().closed {
            tokio::time::sleep(CLOSED_INTERVAL).await;
        }
    }

    /// Refuses new inserts; pending ones are still taken.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No code that can panic leaves the queue half changed.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn batch(&mut self, limit: BatchLimit) -> Vec<PendingInsert> {
        let mut bytes = 0;
        let fits = |pending: &&PendingInsert| {
            let fits = bytes < limit.bytes;
            bytes += pending.arrival.delivery.body().len();
            fits
        };
        let count = self.pending.iter().take(limit.rows).take_while(fits);
        let count = count.count();
        self.pending.drain(..count).collect()
    }
}
