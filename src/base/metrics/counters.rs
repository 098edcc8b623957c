//! Creates counters, and the gauges of each source, at 0.

use std::time::Duration;

use super::Metrics;
use super::labels::{RejectReason, Source, SourceOutcome, SourceReason, SourceWay};
use leaver_core::domain::SourceName;

/// The label values of the counters of each source. All counters exist at 0 from the start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CounterLabels<'a> {
    /// Outcomes of webhook requests.
    pub(crate) request_outcomes: &'a [&'a str],
    /// Reasons of bad signatures.
    pub(crate) signature_failures: &'a [&'a str],
    /// States in which a delivery is settled.
    pub(crate) delivery_outcomes: &'a [&'a str],
    /// Outcomes of employees in deliveries.
    pub(crate) employee_outcomes: &'a [&'a str],
    /// Reasons of requests without a route.
    pub(crate) unrouted: &'a [&'a str],
    /// Reasons of refused requests to the API.
    pub(crate) admin_refusals: &'a [&'a str],
    /// Codes of the reasons of `/health`.
    pub(crate) health_reasons: &'a [&'a str],
}

impl Metrics {
    /// Creates the counters of these sources, so that the first failure is an increase from 0.
    pub(crate) fn create_counters<'s>(
        &self,
        sources: impl IntoIterator<Item = &'s SourceName>,
        labels: &CounterLabels<'_>,
    ) {
        for source in sources {
            let source = source.to_string();
            let families = [
                (&self.webhook_requests, labels.request_outcomes),
                (&self.deliveries_settled, labels.delivery_outcomes),
                (&self.employee_outcomes, labels.employee_outcomes),
            ];
            for (family, outcomes) in families {
                for outcome in outcomes {
                    drop(family.get_or_create(&SourceOutcome {
                        source: source.clone(),
                        outcome: (*outcome).to_owned(),
                    }));
                }
            }
            for reason in labels.signature_failures {
                drop(
                    self.webhook_signature_failures
                        .get_or_create(&SourceReason {
                            source: source.clone(),
                            reason: (*reason).to_owned(),
                        }),
                );
            }
            let source = Source { source };
            drop(self.deactivations.get_or_create(&source));
            let shared = &self.shared;
            for family in [
                &shared.source_shadow_mode,
                &shared.source_silent,
                &shared.provider_webhooks_unhealthy,
                &shared.last_delivery_age,
                &shared.sync_incomplete,
            ] {
                drop(family.get_or_create(&source));
            }
        }
        for outcome in ["sent", "failed", "dropped"] {
            self.record_spans(outcome, 0);
        }
        self.set_reasons(labels.health_reasons.iter().copied(), |_| false);
        for (family, reasons) in [
            (&self.requests_unrouted, labels.unrouted),
            (&self.admin_requests_refused, labels.admin_refusals),
            (&self.confirmations_failed, &["locked", "error"]),
        ] {
            for reason in reasons {
                let reason = (*reason).to_owned();
                drop(family.get_or_create(&RejectReason { reason }));
            }
        }
    }
    /// Creates the gauges of a source whose API is read, in one of these ways if there are several.
    pub(crate) fn create_sync_gauges<'w>(
        &self,
        source: &SourceName,
        interval: Duration,
        ways: impl IntoIterator<Item = &'w str>,
    ) {
        let shared = &self.shared;
        for way in ways {
            let label = SourceWay {
                source: source.to_string(),
                way: way.to_owned(),
            };
            drop(shared.read_way.get_or_create(&label));
        }
        let source = Source {
            source: source.to_string(),
        };
        let seconds = i64::try_from(interval.as_secs().max(1)).unwrap_or(i64::MAX);
        shared.sync_interval.get_or_create(&source).set(seconds);
        drop(shared.last_sync_age.get_or_create(&source));
    }

    /// Sets the time between two drift checks.
    pub fn set_drift_interval(&self, interval: Duration) {
        let seconds = i64::try_from(interval.as_secs().max(1)).unwrap_or(i64::MAX);
        self.shared.drift_interval.set(seconds);
    }
}
