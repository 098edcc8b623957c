//! The memory that request bodies in flight may take together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The free bytes, shared by all requests.
#[derive(Clone, Debug)]
pub struct MemoryBudget(Arc<AtomicUsize>);

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
        Self(Arc::new(AtomicUsize::new(bytes)))
    }

    /// Returns true if this many bytes are free now.
    #[must_use]
    pub(crate) fn has_capacity(&self, bytes: usize) -> bool {
        self.0.load(Ordering::Relaxed) >= bytes
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
    /// Takes this many bytes more; returns false and takes nothing if they are not free.
    #[must_use]
    pub(crate) fn try_grow(&mut self, bytes: usize) -> bool {
        let take = |free: usize| free.checked_sub(bytes);
        let free = &self.budget.0;
        let taken = free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        self.bytes += if taken.is_ok() { bytes } else { 0 };
        taken.is_ok()
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.0.fetch_add(self.bytes, Ordering::Relaxed);
    }
}
