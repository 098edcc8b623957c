//! Limits of waiting times and sizes.

use std::time::Duration;

/// Timeouts, retries and rate limits of the API clients.
#[derive(Clone, Debug)]
pub struct ClientLimits {
    /// Time limit for establishing a connection; default 10 s.
    pub connect_timeout: Duration,
    /// Time limit for one attempt, response body included; default 60 s.
    pub attempt_timeout: Duration,
    /// Time limit for a request with all its attempts and waits; default 3 min.
    pub total_timeout: Duration,
    /// Time limit between two pieces of a body that is read in pieces; default 60 s.
    pub stall_timeout: Duration,
    /// Time limit for such a body as a whole; default 30 min.
    // The time in which the database takes the records counts too.
    pub stream_timeout: Duration,
    /// Attempts per request; default 6.
    pub max_attempts: u32,
    /// Upper bound of the first wait between two attempts, doubled after each; default 500 ms.
    pub first_backoff: Duration,
    /// The longest response body accepted; default 32 MiB.
    pub max_body_bytes: usize,
    /// Pages of one list; default 10,000. A list that promises more was not read in full.
    // With 100 records a page, a million employees: an API that promises more repeats itself.
    pub max_pages: usize,
    /// How long no request is sent with credentials that were refused; default 15 min.
    pub credential_block: Duration,
    /// Failing responses that a host may give per [`Self::host_failure_window`]; default 10, at least 1.
    // Merge blocks an address after 20 within 10 s
    // (https://help.merge.dev/en/articles/9150563-what-is-merge-s-global-api-rate-limit, read 2026-11-22).
    // Half of that leaves the other half to a second replica behind the same address.
    pub max_host_failures: usize,
    /// The window in which failing responses are counted; default 10 s.
    pub host_failure_window: Duration,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            attempt_timeout: Duration::from_mins(1),
            total_timeout: Duration::from_mins(3),
            stall_timeout: Duration::from_mins(1),
            stream_timeout: Duration::from_mins(30),
            max_attempts: 6,
            first_backoff: Duration::from_millis(500),
            // BambooHR lists all changed employees in one response, about 90 bytes each.
            max_body_bytes: 32 * 1024 * 1024,
            max_pages: 10_000,
            credential_block: Duration::from_mins(15),
            max_host_failures: 10,
            host_failure_window: Duration::from_secs(10),
        }
    }
}
