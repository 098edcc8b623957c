//! The memory that request bodies in flight may take together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// The bytes of all requests.
#[derive(Clone, Debug)]
pub struct MemoryBudget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    total: usize,
    free: AtomicUsize,
    freed: Notify,
}

/// The bytes that one request has taken; dropping it frees them.
#[derive(Debug)]
pub struct Reservation {
    budget: MemoryBudget,
    bytes: usize,
}

impl MemoryBudget {
    /// Creates a budget of this many bytes, all free.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Shared {
            total: bytes,
            free: AtomicUsize::new(bytes),
            freed: Notify::new(),
        }))
    }

    /// Returns the number of bytes, free or not.
    #[must_use]
    pub(crate) fn total(&self) -> usize {
        self.0.total
    }

    /// Returns true if this many bytes are free now.
    #[must_use]
    pub(crate) fn has_capacity(&self, bytes: usize) -> bool {
        self.0.free.load(Ordering::Relaxed) >= bytes
    }

    /// Completes when bytes are freed after this call.
    pub(crate) fn freed(&self) -> Notified<'_> {
        self.0.freed.notified()
    }

    /// Creates an empty reservation.
    #[must_use]
    pub fn reserve(&self) -> Reservation {
        Reservation {
            budget: self.clone(),
            bytes: 0,
        }
    }
}

impl Reservation {
    /// Takes this many bytes more; returns false and takes nothing if fewer than `keep_free` would stay free.
    #[must_use]
    pub(crate) fn try_grow(&mut self, bytes: usize, keep_free: usize) -> bool {
        let take = |free: usize| free.checked_sub(bytes).filter(|left| *left >= keep_free);
        let free = &self.budget.0.free;
        let taken = free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        self.bytes += if taken.is_ok() { bytes } else { 0 };
        taken.is_ok()
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.0.free.fetch_add(self.bytes, Ordering::Relaxed);
        self.budget.0.freed.notify_waiters();
    }
}
