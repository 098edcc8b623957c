//! The gauges of `/metrics` that health supplies.

use chrono::{DateTime, Utc};

use super::{Health, SourceHealth};
use crate::base::metrics::Gauges;
use leaver_core::safeguard::SourceMode;

/// The ways of `sources.*.read`.
const READ_WAYS: [&str; 3] = ["report", "dataset", "single"];

impl Health {
    /// Returns the values of the gauges, or `None` when the database did not answer: unknown is not zero.
    #[must_use]
    pub(crate) fn gauges(&self, now: DateTime<Utc>) -> Option<Gauges> {
        let is_known = self.database == "ok" && self.schema == "current";
        is_known.then(|| Gauges {
            inbox_pending: self.backlog.pending,
            inbox_oldest_pending_seconds: self.backlog.oldest_seconds,
            inbox_failed: self.backlog.failed,
            holds_open: self.holds,
            safeguard_tripped: i64::from(!self.safeguard.tripped.is_empty()),
            deactivations_blocked: self.blocked,
            leavers_without_account: self.without_account,
            pending_reads: self.pending_reads,
            pending_reads_failing: self.failing_reads,
            scheduled_access_ends: self.schedule.pending,
            drift_terminated_with_access: self
                .drift
                .as_ref()
                .map(|drift| drift.terminated_with_access),
            source_shadow_mode: self.by_source(|it| Some((it.mode == SourceMode::Shadow).into())),
            provider_webhooks_unhealthy: self.by_source(|it| Some(it.unhealthy_webhooks())),
            last_delivery_age_seconds: self
                .by_source(|it| Some((now - it.last_delivery_at?).num_seconds())),
            last_sync_age_seconds: self
                .by_source(|it| Some((now - it.last_sync_at?).num_seconds())),
            read_way: self.read_ways(),
        })
    }

    fn read_ways(&self) -> Vec<(String, &'static str, i64)> {
        let sources = self.sources.iter();
        let of_source = sources.filter_map(|(name, health)| Some((name, health.read.as_ref()?)));
        of_source
            .flat_map(|(name, read)| {
                READ_WAYS.map(|way| (name.clone(), way, i64::from(read.way == way)))
            })
            .collect()
    }

    fn by_source(&self, value: impl Fn(&SourceHealth) -> Option<i64>) -> Vec<(String, i64)> {
        let sources = self.sources.iter();
        sources
            .filter_map(|(name, health)| Some((name.clone(), value(health)?)))
            .collect()
    }
}
