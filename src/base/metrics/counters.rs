//! Creates counters at 0.

use super::Metrics;
use super::labels::{RejectReason, Source, SourceOutcome, SourceReason};
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
            drop(self.deactivations.get_or_create(&Source { source }));
        }
        for (family, reasons) in [
            (&self.requests_unrouted, labels.unrouted),
            (&self.admin_requests_refused, labels.admin_refusals),
        ] {
            for reason in reasons {
                let reason = (*reason).to_owned();
                drop(family.get_or_create(&RejectReason { reason }));
            }
        }
    }
}
