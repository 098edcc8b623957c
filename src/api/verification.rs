//! Verifies signatures. A large body is hashed outside the threads that serve connections, so that forged ones delay nobody
//! else.

use std::sync::Arc;

use axum::http::HeaderMap;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::AppState;
use super::error::ApiError;
use super::slots::Slot;
use super::webhook_keys::Schemes;
use leaver_core::domain::SourceName;
use leaver_core::signature::{Rejection, VerifiedDelivery};

/// A smaller body is hashed sooner than it is handed to another thread.
const LARGE: usize = 256 * 1024;

/// Places for large bodies that are hashed at a time.
#[derive(Debug)]
pub struct Verification {
    known: Semaphore,
    unknown: Semaphore,
}

impl Default for Verification {
    fn default() -> Self {
        Self {
            known: Semaphore::new(2),
            unknown: Semaphore::new(1),
        }
    }
}

/// A request whose signature is to be verified.
pub(super) struct Unverified<'a> {
    pub(super) schemes: &'a Arc<Schemes>,
    pub(super) source: &'a SourceName,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// The connection, unless a test calls the router directly.
    pub(super) slot: Option<&'a Arc<Slot>>,
}

impl Unverified<'_> {
    /// Verifies the signature. The time is that of the check, which may wait for those of other large bodies.
    ///
    /// # Errors
    /// [`ApiError::Overloaded`] if the slot was taken by another client, or the wait takes longer than
    /// `server.body_timeout`. Until the wait is over, the slot and the memory may be taken.
    pub(super) async fn verify(
        self,
        state: &AppState,
    ) -> Result<(Result<VerifiedDelivery, Rejection>, DateTime<Utc>), ApiError> {
        if self.body.len() < LARGE {
            self.start_work()?;
            let now = state.clock.now();
            let scheme = self.schemes.get(self.source);
            let scheme = scheme.ok_or(ApiError::UnknownSource)?;
            let verified = scheme.verify(self.source, &self.headers, self.body, now);
            return Ok((verified, now));
        }
        let is_known = self.slot.is_none_or(|slot| slot.is_known());
        let places = &state.verification;
        let places = if is_known {
            &places.known
        } else {
            &places.unknown
        };
        let Ok(Ok(_place)) = timeout(state.body_timeout, places.acquire()).await else {
            return Err(ApiError::Overloaded);
        };
        self.start_work()?;
        let now = state.clock.now();
        let (schemes, source) = (Arc::clone(self.schemes), self.source.clone());
        let verify = move || {
            let scheme = schemes.get(&source)?;
            Some(scheme.verify(&source, &self.headers, self.body, now))
        };
        // A panic is logged by the hook.
        let verified = tokio::task::spawn_blocking(verify).await;
        let verified = verified.map_err(|_| ApiError::Overloaded)?;
        Ok((verified.ok_or(ApiError::UnknownSource)?, now))
    }

    /// Records that the client waits for the service from here on: its connection is not closed for another one.
    fn start_work(&self) -> Result<(), ApiError> {
        if self.slot.is_some_and(|slot| !slot.start_work()) {
            return Err(ApiError::Overloaded);
        }
        Ok(())
    }
}
