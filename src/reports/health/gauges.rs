//! The gauges of `/metrics` that health supplies.

use chrono::{DateTime, Utc};

use super::{Health, SourceHealth, codes, destinations};
use crate::base::metrics::{Gauges, Metrics, SourceGauges};
use leaver_core::safeguard::SourceMode;

/// The ways of `sources.*.read`.
const READ_WAYS: [&str; 3] = ["report", "dataset", "single"];

impl Health {
    /// Returns the values of the gauges, or `None` when the database did not answer: unknown is not zero.
    #[must_use]
    pub(crate) fn gauges(&self, now: DateTime<Utc>) -> Option<Gauges> {
        self.is_known().then(|| Gauges {
            inbox_pending: self.backlog.pending,
            inbox_oldest_pending_seconds: self.backlog.oldest_seconds,
            inbox_failed: self.backlog.failed,
            holds_open: self.holds,
            holds_oldest_seconds: self.oldest_hold_at.map_or(0, |at| (now - at).num_seconds()),
            safeguard_tripped: i64::from(!self.safeguard.tripped.is_empty()),
            deactivations_blocked: self.blocked,
            leavers_without_account: self.without_account,
            pending_reads: self.pending_reads,
            pending_reads_failing: self.failing_reads,
            scheduled_access_ends: self.schedule.pending,
            scheduled_access_ends_overdue: self.overdue_ends,
            drift_terminated_with_access: self
                .drift
                .as_ref()
                .map(|drift| drift.terminated_with_access),
            last_drift_check_age_seconds: self
                .drift
                .as_ref()
                .map(|drift| (now - drift.checked_at).num_seconds().max(0)),
            destinations: destinations::gauges(&self.destinations, now),
            sources: self
                .sources
                .iter()
                .map(|(name, health)| health.gauges(name, now))
                .collect(),
        })
    }

    /// Sets the metric of each reason. While the database does not answer, reasons that it holds keep their values.
    pub(crate) fn set_reasons(&self, metrics: &Metrics) {
        let is_present = |code: &str| self.reasons.iter().any(|reason| reason.code == code);
        metrics.set_reasons(codes::CODES_OF_PROCESS, is_present);
        if self.is_known() {
            metrics.set_reasons(codes::CODES_OF_DATABASE, is_present);
        }
    }

    fn is_known(&self) -> bool {
        self.database == "ok" && self.schema == "current"
    }
}

impl SourceHealth {
    fn gauges(&self, name: &str, now: DateTime<Utc>) -> SourceGauges {
        let age = |at: DateTime<Utc>| (now - at).num_seconds().max(0);
        SourceGauges {
            source: name.to_owned(),
            is_shadow: self.mode == SourceMode::Shadow,
            is_silent: self.silent_since.is_some(),
            webhooks_unhealthy: self.unhealthy_webhooks(),
            last_delivery_age_seconds: self.last_delivery_at.or(self.listening_since).map(age),
            last_sync_age_seconds: self.last_sync_at.map(age),
            is_sync_incomplete: self.last_sync.is_some(),
            read_ways: self.read.as_ref().map_or_else(Vec::new, |read| {
                READ_WAYS
                    .map(|way| (way, i64::from(read.way == way)))
                    .to_vec()
            }),
        }
    }
}
