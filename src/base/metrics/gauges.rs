//! Values of the gauges that come from the database.

use super::Metrics;
use super::labels::{Code, Destination, Source, SourceWay};

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
    /// Age of the oldest of them in seconds.
    pub holds_oldest_seconds: i64,
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
    /// Those of them that are late.
    pub scheduled_access_ends_overdue: i64,
    /// Active accounts whose employee has left, at the last drift check; `None` before the first one.
    pub drift_terminated_with_access: Option<i64>,
    /// Seconds since the beginning of the last complete drift check; `None` before the first one.
    pub last_drift_check_age_seconds: Option<i64>,
    /// Each source.
    pub sources: Vec<SourceGauges>,
    /// Each destination of events.
    pub destinations: Vec<DestinationGauges>,
}

/// Values of one destination of events.
#[derive(Clone, Debug, Default)]
pub struct DestinationGauges {
    /// Its name.
    pub destination: String,
    /// Events that wait for it.
    pub pending: i64,
    /// Events whose last attempt failed.
    pub dead: i64,
    /// Seconds since the oldest waiting event waits.
    pub oldest_age_seconds: i64,
    /// True while it is paused.
    pub is_paused: bool,
}

/// Values of one source.
#[derive(Clone, Debug, Default)]
pub struct SourceGauges {
    /// Its name.
    pub source: String,
    /// True while its changes are only planned.
    pub is_shadow: bool,
    /// True while it has sent nothing for longer than `max_silence`.
    pub is_silent: bool,
    /// BambooHR's webhooks that an operator should look at.
    pub webhooks_unhealthy: i64,
    /// Seconds since its last delivery, or since it was first configured.
    pub last_delivery_age_seconds: Option<i64>,
    /// Seconds since the end of its last complete sync.
    pub last_sync_age_seconds: Option<i64>,
    /// True if its last sync was incomplete.
    pub is_sync_incomplete: bool,
    /// The ways in which its employees can be read, where there are several, and 1 for the way in use.
    pub read_ways: Vec<(&'static str, i64)>,
}

impl Metrics {
    /// Sets all gauges.
    pub fn set(&self, gauges: &Gauges) {
        let shared = &self.shared;
        shared.inbox_pending.set(gauges.inbox_pending);
        shared
            .inbox_oldest_pending
            .set(gauges.inbox_oldest_pending_seconds);
        shared.inbox_failed.set(gauges.inbox_failed);
        shared.holds_open.set(gauges.holds_open);
        shared.holds_oldest.set(gauges.holds_oldest_seconds);
        shared.safeguard_tripped.set(gauges.safeguard_tripped);
        shared
            .deactivations_blocked
            .set(gauges.deactivations_blocked);
        shared
            .leavers_without_account
            .set(gauges.leavers_without_account);
        shared.pending_reads.set(gauges.pending_reads);
        shared
            .pending_reads_failing
            .set(gauges.pending_reads_failing);
        shared
            .scheduled_access_ends
            .set(gauges.scheduled_access_ends);
        shared
            .scheduled_access_ends_overdue
            .set(gauges.scheduled_access_ends_overdue);
        if let Some(count) = gauges.drift_terminated_with_access {
            shared.drift_terminated_with_access.set(count);
        }
        let age = gauges.last_drift_check_age_seconds;
        shared
            .last_drift_check_age
            .set(age.unwrap_or_else(|| self.seconds_since_start()));
        for source in &gauges.sources {
            self.set_source(source);
        }
        for destination in &gauges.destinations {
            self.set_destination(destination);
        }
    }

    fn set_destination(&self, gauges: &DestinationGauges) {
        let shared = &self.shared;
        let destination = Destination {
            destination: gauges.destination.clone(),
        };
        for (family, value) in [
            (&shared.events_pending, gauges.pending),
            (&shared.events_dead, gauges.dead),
            (&shared.events_oldest_age, gauges.oldest_age_seconds),
            (&shared.destination_paused, gauges.is_paused.into()),
        ] {
            family.get_or_create(&destination).set(value);
        }
    }

    fn set_source(&self, gauges: &SourceGauges) {
        let shared = &self.shared;
        let source = Source {
            source: gauges.source.clone(),
        };
        for (family, value) in [
            (&shared.source_shadow_mode, gauges.is_shadow.into()),
            (&shared.source_silent, gauges.is_silent.into()),
            (&shared.sync_incomplete, gauges.is_sync_incomplete.into()),
            (
                &shared.provider_webhooks_unhealthy,
                gauges.webhooks_unhealthy,
            ),
        ] {
            family.get_or_create(&source).set(value);
        }
        for (way, value) in &gauges.read_ways {
            let label = SourceWay {
                source: gauges.source.clone(),
                way: (*way).to_owned(),
            };
            shared.read_way.get_or_create(&label).set(*value);
        }
        if let Some(age) = gauges.last_delivery_age_seconds {
            shared.last_delivery_age.get_or_create(&source).set(age);
        }
        // Sources without an API have no such gauge.
        let age = match gauges.last_sync_age_seconds {
            Some(age) => Some(age),
            None if shared.sync_interval.get(&source).is_some() => Some(self.seconds_since_start()),
            None => None,
        };
        if let Some(age) = age {
            shared.last_sync_age.get_or_create(&source).set(age);
        }
    }

    fn seconds_since_start(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_secs()).unwrap_or(i64::MAX)
    }

    /// Sets each of these reasons to 1 if it is among those of `/health`, else to 0.
    pub(crate) fn set_reasons<'c>(
        &self,
        codes: impl IntoIterator<Item = &'c str>,
        is_present: impl Fn(&str) -> bool,
    ) {
        for code in codes {
            let value = is_present(code).into();
            let code = code.to_owned();
            let reason = self.shared.health_reason.get_or_create(&Code { code });
            reason.set(value);
        }
    }
}
