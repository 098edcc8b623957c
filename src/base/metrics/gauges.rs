//! Gauges whose values come from the database.

use super::Metrics;
use super::labels::{Source, SourceWay};

/// Values that come from the database. Each is set when metrics are read.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    /// Deliveries that are not processed yet.
    pub inbox_pending: i64,
    /// Age of the oldest of them in seconds.
    pub inbox_oldest_pending_seconds: i64,
    /// Deliveries that could not be processed.
    pub inbox_failed: i64,
    /// Open holds.
    pub holds_open: i64,
    /// 1 while the safeguard holds changes of a tenant, else 0.
    pub safeguard_tripped: i64,
    /// Deactivations that the database did not carry out.
    pub deactivations_blocked: i64,
    /// Employees who left and for whom no account is found.
    pub leavers_without_account: i64,
    /// Employees to be read over their provider's API.
    pub pending_reads: i64,
    /// Those of them whose read failed and waits for more than a minute, or cannot succeed.
    pub pending_reads_failing: i64,
    /// Access ends that are scheduled.
    pub scheduled_access_ends: i64,
    /// Active accounts whose employee has left, at the last drift check; `None` before the first one.
    pub drift_terminated_with_access: Option<i64>,
    /// Per source, 1 while its changes are only planned, else 0.
    pub source_shadow_mode: Vec<(String, i64)>,
    /// Per source, BambooHR's webhooks that an operator should look at.
    pub provider_webhooks_unhealthy: Vec<(String, i64)>,
    /// Per source, seconds since its last delivery.
    pub last_delivery_age_seconds: Vec<(String, i64)>,
    /// Per source, seconds since the end of its last complete sync.
    pub last_sync_age_seconds: Vec<(String, i64)>,
    /// Per source and way of reading employees, 1 for the way in use, else 0.
    pub read_way: Vec<(String, &'static str, i64)>,
}

impl Metrics {
    /// Sets all gauges.
    pub(super) fn set(&self, gauges: &Gauges) {
        self.inbox_pending.set(gauges.inbox_pending);
        self.inbox_oldest_pending
            .set(gauges.inbox_oldest_pending_seconds);
        self.inbox_failed.set(gauges.inbox_failed);
        self.holds_open.set(gauges.holds_open);
        self.safeguard_tripped.set(gauges.safeguard_tripped);
        self.deactivations_blocked.set(gauges.deactivations_blocked);
        self.leavers_without_account
            .set(gauges.leavers_without_account);
        self.pending_reads.set(gauges.pending_reads);
        self.pending_reads_failing.set(gauges.pending_reads_failing);
        self.scheduled_access_ends.set(gauges.scheduled_access_ends);
        if let Some(count) = gauges.drift_terminated_with_access {
            self.drift_terminated_with_access.set(count);
        }
        for (source, way, value) in &gauges.read_way {
            let label = SourceWay {
                source: source.clone(),
                way: (*way).to_owned(),
            };
            self.read_way.get_or_create(&label).set(*value);
        }
        for (family, values) in [
            (&self.source_shadow_mode, &gauges.source_shadow_mode),
            (
                &self.provider_webhooks_unhealthy,
                &gauges.provider_webhooks_unhealthy,
            ),
            (&self.last_delivery_age, &gauges.last_delivery_age_seconds),
            (&self.last_sync_age, &gauges.last_sync_age_seconds),
        ] {
            for (source, value) in values {
                let source = source.clone();
                family.get_or_create(&Source { source }).set(*value);
            }
        }
    }
}
