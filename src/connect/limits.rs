//! The limits of every wait, and of what is read.

use std::time::Duration;

/// How patient a client is, and how polite.
#[derive(Clone, Debug)]
pub struct ClientLimits {
    /// For a connection.
    pub connect_timeout: Duration,
    /// For one try, the body included.
    pub attempt_timeout: Duration,
    /// For a call with all its tries and waits.
    pub total_timeout: Duration,
    /// How many tries a call has.
    pub max_attempts: u32,
    /// The bound of the first wait between two tries; it doubles each time.
    pub first_backoff: Duration,
    /// The longest body.
    pub max_body_bytes: usize,
    /// How long a tenant is left alone whose credentials were refused.
    pub credential_block: Duration,
    /// How many failing answers a host may give within the window. Merge blocks an address after 20 in
    /// 10 s; the default leaves room for a second replica behind the same address.
    pub max_host_failures: usize,
    /// That window.
    pub host_failure_window: Duration,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            attempt_timeout: Duration::from_mins(1),
            total_timeout: Duration::from_mins(3),
            max_attempts: 6,
            first_backoff: Duration::from_millis(500),
            // BambooHR lists all changed employees at once, at some 90 bytes each.
            max_body_bytes: 32 * 1024 * 1024,
            credential_block: Duration::from_mins(15),
            max_host_failures: 10,
            host_failure_window: Duration::from_secs(10),
        }
    }
}
