//! Requests of this process that became no delivery: refused signatures by source, and requests without a route.
//! Health reads them. Other replicas have their own.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};

use leaver_core::domain::SourceName;
use leaver_core::signature::Rejection;

/// Requests that became no delivery, since the start.
#[derive(Debug, Default)]
pub struct Rejections(Mutex<RejectionReport>);

/// A copy of what was recorded.
#[derive(Clone, Debug, Default)]
pub(crate) struct RejectionReport {
    /// Signatures of each source that sent anything.
    pub(crate) sources: BTreeMap<SourceName, SignatureRecord>,
    /// Time of the last request without a route that looks like a webhook.
    pub(crate) unrouted_at: Option<DateTime<Utc>>,
}

/// Good and refused signatures of one source.
#[derive(Clone, Debug, Default)]
pub(crate) struct SignatureRecord {
    /// Time of the last good one.
    pub(crate) accepted_at: Option<DateTime<Utc>>,
    /// Time of the last refused one.
    pub(crate) refused_at: Option<DateTime<Utc>>,
    /// Number of refused ones since the last good one, by cause.
    pub(crate) refused: HashMap<Rejection, u64>,
}

impl Rejections {
    /// Records a good signature.
    pub(crate) fn accepted(&self, source: &SourceName, now: DateTime<Utc>) {
        self.change(|report| {
            let record = report.sources.entry(source.clone()).or_default();
            record.accepted_at = Some(now);
            record.refused.clear();
        });
    }

    /// Records a refused signature.
    pub(crate) fn refused(&self, source: &SourceName, cause: Rejection, now: DateTime<Utc>) {
        self.change(|report| {
            let record = report.sources.entry(source.clone()).or_default();
            record.refused_at = Some(now);
            *record.refused.entry(cause).or_default() += 1;
        });
    }

    /// Records a request without a route that looks like a webhook.
    pub(crate) fn unrouted(&self, now: DateTime<Utc>) {
        self.change(|report| report.unrouted_at = Some(now));
    }

    /// Drops the record of all signatures, since the keys were replaced.
    pub(crate) fn forget_signatures(&self) {
        self.change(|report| report.sources.clear());
    }

    /// Returns a copy.
    pub(crate) fn report(&self) -> RejectionReport {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn change(&self, change: impl FnOnce(&mut RejectionReport)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
