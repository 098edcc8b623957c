//! Events that are sent to destinations.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::labels::{Destination, DestinationOutcome};
use super::{Metrics, add};

/// Histogram buckets for the delay of events, in seconds: from a healthy destination to one that was down for days.
const DELAY_SECONDS: [f64; 14] = [
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0, 1_800.0, 7_200.0, 86_400.0, 300_000.0,
];
const OUTCOMES: [&str; 3] = ["sent", "failed", "dead"];

/// Counters of this process.
#[derive(Debug)]
pub(super) struct EventCounters {
    total: Family<DestinationOutcome, Counter>,
    delay: Histogram,
}

impl EventCounters {
    pub(super) fn register(all: &mut Registry) -> Self {
        let delay = Histogram::new(DELAY_SECONDS);
        let counters = Self {
            total: add(
                all,
                "events",
                "Events by destination and outcome: sent, an attempt that failed, or dead after the last attempt",
            ),
            delay: delay.clone(),
        };
        all.register_with_unit(
            "event_delay",
            "From an event until a destination has it",
            prometheus_client::registry::Unit::Seconds,
            delay,
        );
        counters
    }

    fn count(&self, destination: &str, outcome: &'static str) -> Counter {
        let label = DestinationOutcome {
            destination: destination.to_owned(),
            outcome,
        };
        self.total.get_or_create(&label).clone()
    }
}

impl Metrics {
    /// Creates the series of these destinations at 0.
    pub(crate) fn create_event_series<'d>(&self, destinations: impl IntoIterator<Item = &'d str>) {
        for destination in destinations {
            for outcome in OUTCOMES {
                drop(self.events.count(destination, outcome));
            }
            let label = Destination {
                destination: destination.to_owned(),
            };
            for family in self.shared.of_destinations() {
                drop(family.get_or_create(&label));
            }
        }
    }

    /// Counts an event that a destination received this long after it happened.
    pub(crate) fn event_sent(&self, destination: &str, delay: Duration) {
        self.events.count(destination, "sent").inc();
        self.events.delay.observe(delay.as_secs_f64());
    }

    /// Counts a failed attempt.
    pub(crate) fn event_failed(&self, destination: &str) {
        self.events.count(destination, "failed").inc();
    }

    /// Counts an event whose last attempt failed.
    pub(crate) fn event_dead(&self, destination: &str) {
        self.events.count(destination, "dead").inc();
    }
}
