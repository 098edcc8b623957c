//! Two budgets, so that one bad token never gets an address blocked for all.
//!
//! Merge blocks an address for a while after 20 failing answers within 10 s (its help centre on the global
//! rate limit; a 429 does not count). So a tenant whose credentials were refused is left alone for a while,
//! and a host never has more requests under way than errors it could answer with.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout_at};

/// So many single records of a tenant in a row may be forbidden before its credentials count as refused.
const FORBIDDEN_RECORDS: u32 = 10;

/// Which tenants are left alone until when.
#[derive(Debug, Default)]
pub(crate) struct CredentialBreaker(Mutex<HashMap<String, CredentialState>>);

#[derive(Debug, Default)]
struct CredentialState {
    until: Option<DateTime<Utc>>,
    forbidden: u32,
}

impl CredentialBreaker {
    /// Until when this tenant is left alone, if it is. Nobody is for longer than `cool_down`: a clock has stepped back then.
    pub(crate) fn blocked_until(
        &self,
        tenant: &str,
        now: DateTime<Utc>,
        cool_down: Duration,
    ) -> Option<DateTime<Utc>> {
        let rests = |until: &DateTime<Utc>| {
            let left = (*until - now).to_std();
            left.is_ok_and(|left| !left.is_zero() && left <= cool_down)
        };
        self.with(|tenants| tenants.get(tenant)?.until.filter(rests))
    }

    /// It answered as it should. A rest that began meanwhile goes on.
    pub(crate) fn trust(&self, tenant: &str) {
        self.with(|tenants| {
            if let Some(standing) = tenants.get_mut(tenant) {
                standing.forbidden = 0;
            }
        });
    }

    /// Its credentials were refused.
    pub(crate) fn refused(&self, tenant: &str, now: DateTime<Utc>, cool_down: Duration) {
        let until = TimeDelta::from_std(cool_down)
            .ok()
            .and_then(|span| now.checked_add_signed(span))
            .unwrap_or(DateTime::<Utc>::MAX_UTC);
        self.with(|tenants| tenants.entry(tenant.to_owned()).or_default().until = Some(until));
    }

    /// One record was forbidden, which may be the record's matter and not the credentials'.
    pub(crate) fn forbidden_record(&self, tenant: &str, now: DateTime<Utc>, cool_down: Duration) {
        let forbidden = self.with(|tenants| {
            let standing = tenants.entry(tenant.to_owned()).or_default();
            standing.forbidden += 1;
            standing.forbidden
        });
        if forbidden >= FORBIDDEN_RECORDS {
            self.refused(tenant, now, cool_down);
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut HashMap<String, CredentialState>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How many errors each host may still answer with.
#[derive(Debug)]
pub(crate) struct HostLimiter {
    failures: usize,
    window: Duration,
    rights: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// The right to one request.
#[derive(Debug)]
pub(crate) struct RequestPermit {
    permit: OwnedSemaphorePermit,
    window: Duration,
}

impl HostLimiter {
    /// At most this many failing answers per window and host; at least one, else nothing would go.
    pub(crate) fn new(failures: usize, window: Duration) -> Self {
        Self {
            failures: failures.max(1),
            window,
            rights: Mutex::default(),
        }
    }

    /// Waits for the right to one request; `None` when the deadline comes first.
    pub(crate) async fn admit(&self, host: &str, deadline: Instant) -> Option<RequestPermit> {
        let semaphore = {
            let mut rights = self.rights.lock().unwrap_or_else(PoisonError::into_inner);
            let fresh = || Arc::new(Semaphore::new(self.failures));
            rights.entry(host.to_owned()).or_insert_with(fresh).clone()
        };
        let permit = timeout_at(deadline, semaphore.acquire_owned()).await;
        permit.ok()?.ok().map(|permit| RequestPermit {
            permit,
            window: self.window,
        })
    }
}

impl RequestPermit {
    /// The answer was an error: the right comes back only when the window has passed.
    pub(crate) fn failed(self) {
        tokio::spawn(async move {
            sleep(self.window).await;
            drop(self.permit);
        });
    }
}
