//! The limits of every wait, and of what is read.

use std::time::Duration;

/// How patient a client is, and how polite.
#[derive(Clone, Debug)]
pub struct Limits {
    /// For a connection.
    pub connect: Duration,
    /// For one try, the body included.
    pub attempt: Duration,
    /// For a call with all its tries and waits.
    pub total: Duration,
    /// How many tries a call has.
    pub attempts: u32,
    /// The bound of the first wait between two tries; it doubles each time.
    pub backoff: Duration,
    /// The longest body.
    pub body_bytes: usize,
    /// How long a tenant is left alone whose credentials were refused.
    pub cool_down: Duration,
    /// How many failing answers a host may give within the window. Merge blocks an address after 20 in
    /// 10 s; the default leaves room for a second replica behind the same address.
    pub failures: usize,
    /// That window.
    pub failure_window: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            attempt: Duration::from_mins(1),
            total: Duration::from_mins(3),
            attempts: 6,
            backoff: Duration::from_millis(500),
            // BambooHR lists all changed employees at once, at some 90 bytes each.
            body_bytes: 32 * 1024 * 1024,
            cool_down: Duration::from_mins(15),
            failures: 10,
            failure_window: Duration::from_secs(10),
        }
    }
}
