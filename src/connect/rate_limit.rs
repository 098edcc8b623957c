//! Two limits that keep one bad token from getting our address blocked for all tenants.
//!
//! Merge blocks an address after 20 failing responses within 10 s; 429 does not count
//! (<https://help.merge.dev/en/articles/9150563-what-is-merge-s-global-api-rate-limit>, read 2026-11-22).
//! Credentials that were refused are therefore not used for a while. A host never has more requests in flight than it
//! may still answer with errors.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout_at};

/// After this many forbidden records in a row the credentials count as refused.
const MAX_FORBIDDEN_RECORDS: u32 = 10;

/// The state of each account's credentials.
#[derive(Debug, Default)]
pub(crate) struct CredentialBreaker(Mutex<HashMap<String, CredentialState>>);

#[derive(Debug, Default)]
struct CredentialState {
    blocked_until: Option<DateTime<Utc>>,
    forbidden_records: u32,
}

impl CredentialBreaker {
    /// Returns when the credentials may be used again; `None` if they may be used now.
    pub(crate) fn blocked_until(
        &self,
        credentials: &str,
        now: DateTime<Utc>,
        block: Duration,
    ) -> Option<DateTime<Utc>> {
        let is_blocked = |until: &DateTime<Utc>| {
            let left = (*until - now).to_std();
            // More than the whole block is left only if the clock stepped back since.
            left.is_ok_and(|left| !left.is_zero() && left <= block)
        };
        self.with(|states| states.get(credentials)?.blocked_until.filter(is_blocked))
    }

    /// Records a good response. A block that began since the request stays.
    pub(crate) fn record_success(&self, credentials: &str) {
        self.with(|states| {
            if let Some(state) = states.get_mut(credentials) {
                state.forbidden_records = 0;
            }
        });
    }

    /// Blocks credentials that were refused.
    pub(crate) fn block(&self, credentials: &str, now: DateTime<Utc>, block: Duration) {
        let until = TimeDelta::from_std(block)
            .ok()
            .and_then(|block| now.checked_add_signed(block))
            .unwrap_or(DateTime::<Utc>::MAX_UTC);
        self.with(|states| {
            let state = states.entry(credentials.to_owned()).or_default();
            state.blocked_until = Some(until);
        });
    }

    /// Records a forbidden record, and blocks the credentials if there were too many in a row.
    pub(crate) fn record_forbidden(&self, credentials: &str, now: DateTime<Utc>, block: Duration) {
        let forbidden = self.with(|states| {
            let state = states.entry(credentials.to_owned()).or_default();
            state.forbidden_records += 1;
            state.forbidden_records
        });
        if forbidden >= MAX_FORBIDDEN_RECORDS {
            self.block(credentials, now, block);
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut HashMap<String, CredentialState>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Limits the failing responses of each host within a window.
#[derive(Debug)]
pub(crate) struct HostLimiter {
    max_failures: usize,
    window: Duration,
    hosts: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// The permit for one request, free again when dropped.
#[derive(Debug)]
pub(crate) struct RequestPermit {
    permit: OwnedSemaphorePermit,
    window: Duration,
}

impl HostLimiter {
    /// Allows `max_failures` failing responses per window and host, at least one.
    pub(crate) fn new(max_failures: usize, window: Duration) -> Self {
        Self {
            max_failures: max_failures.max(1),
            window,
            hosts: Mutex::default(),
        }
    }

    /// Waits for a permit; `None` if the deadline passes first.
    pub(crate) async fn acquire(&self, host: &str, deadline: Instant) -> Option<RequestPermit> {
        let semaphore = {
            let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
            let new = || Arc::new(Semaphore::new(self.max_failures));
            hosts.entry(host.to_owned()).or_insert_with(new).clone()
        };
        let permit = timeout_at(deadline, semaphore.acquire_owned()).await;
        permit.ok()?.ok().map(|permit| RequestPermit {
            permit,
            window: self.window,
        })
    }
}

impl RequestPermit {
    /// Keeps the permit for the window, after a failing response.
    pub(crate) fn release_after_window(self) {
        tokio::spawn(async move {
            sleep(self.window).await;
            drop(self.permit);
        });
    }
}
