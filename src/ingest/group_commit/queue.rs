//! The queue of deliveries that wait for a flush.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::StoreError;
use super::budget::Held;
use crate::ingest::inbox::arrivals::{Arrival, Receipt};

/// A queued delivery. Dropping it answers its sender with an error.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) arrival: Arrival,
    /// When the sender is answered with an error.
    pub(super) deadline: Instant,
    /// Reaches the sender, who may have hung up. The delivery is stored anyway.
    pub(super) answer: oneshot::Sender<Result<Receipt, StoreError>>,
    /// The memory of the body, released with the answer.
    pub(super) held: Held,
}

impl Waiting {
    /// Answers the sender.
    pub(super) fn end(self, answer: Result<Receipt, StoreError>) {
        drop(self.held);
        // The sender may have hung up.
        let _ = self.answer.send(answer);
    }
}

/// The largest batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct BatchLimit {
    pub(super) rows: usize,
    /// Bytes of bodies; the last delivery of a batch may exceed it.
    pub(super) bytes: usize,
}

/// A bounded queue, first in, first out, for several consumers.
#[derive(Debug)]
pub(super) struct Queue {
    capacity: usize,
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: VecDeque<Waiting>,
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

    /// Returns the number of queued deliveries.
    pub(super) fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Enqueues a delivery. If the queue is full or closed, its sender is answered with an error.
    pub(super) fn push(&self, waiting: Waiting) {
        let mut inner = self.lock();
        if inner.closed || inner.waiting.len() >= self.capacity {
            drop(inner);
            return waiting.end(Err(StoreError::Full));
        }
        inner.waiting.push_back(waiting);
        drop(inner);
        self.changed.notify_one();
    }

    /// Waits for deliveries and returns a batch of them; `None` once the queue is closed and empty.
    pub(super) async fn take(&self, limit: BatchLimit) -> Option<Vec<Waiting>> {
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

    /// Closes the queue. Queued deliveries can still be taken.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No operation on the queue can panic halfway, so the content of a poisoned lock is valid.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn batch(&mut self, limit: BatchLimit) -> Vec<Waiting> {
        let mut bytes = 0;
        let within = |waiting: &&Waiting| {
            let fits = bytes < limit.bytes;
            bytes += waiting.arrival.delivery.body().len();
            fits
        };
        let count = self.waiting.iter().take(limit.rows).take_while(within);
        let count = count.count();
        self.waiting.drain(..count).collect()
    }
}
