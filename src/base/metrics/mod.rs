//! Metrics in Prometheus text. Each service has its own registry, so two services in one process, as in tests, do not
//! share counters. No label holds personal data.

mod connections;
mod counters;
mod events;
mod exposition;
mod gauges;
mod labels;
mod process;
mod shared;

use std::fmt::Debug;
use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry, Unit};

pub(crate) use self::counters::CounterLabels;
use self::events::EventCounters;
pub use self::exposition::Format;
pub use self::gauges::{DestinationGauges, Gauges, SourceGauges};
use self::labels::{
    Build, Listener, ListenerReason, Outcome, RejectReason, Source, SourceOutcome, SourceReason,
};
use self::shared::SharedGauges;
use leaver_core::domain::SourceName;

/// Histogram buckets for durations, in seconds.
const SECONDS: [f64; 16] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
];
/// Histogram buckets for the number of deliveries in one INSERT.
const BATCH_ROWS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// All metrics of one service.
#[derive(Debug)]
pub struct Metrics {
    webhook_requests: Family<SourceOutcome, Counter>,
    webhook_request_duration: Histogram,
    webhook_signature_failures: Family<SourceReason, Counter>,
    insert_duration: Histogram,
    insert_batch_rows: Histogram,
    insert_failures: Counter,
    insert_queue_length: Gauge,
    deliveries_storable: Gauge,
    batch_duration: Histogram,
    deliveries_settled: Family<SourceOutcome, Counter>,
    deliveries_failed: Counter,
    delivery_latency: Histogram,
    employee_outcomes: Family<SourceOutcome, Counter>,
    deactivations: Family<Source, Counter>,
    confirmations_failed: Family<RejectReason, Counter>,
    requests_unrouted: Family<RejectReason, Counter>,
    clients_rejected: Family<ListenerReason, Counter>,
    connections_open: Family<Listener, Gauge>,
    admin_requests_refused: Family<RejectReason, Counter>,
    tokio_tasks_alive: Gauge,
    trace_spans: Family<Outcome, Counter>,
    events: EventCounters,
    shared: SharedGauges,
    started: Instant,
    registry: Registry,
    process: Registry,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("leaver");
        let all = &mut registry;
        add::<Family<Build, Gauge>>(
            all,
            "build_info",
            "1; the labels name the version and the commit",
        )
        .get_or_create(&Build {
            version: env!("CARGO_PKG_VERSION"),
            commit: option_env!("LEAVER_BUILD_COMMIT").unwrap_or("unknown"),
        })
        .set(1);
        Self {
            webhook_requests: add(
                all,
                "webhook_requests",
                "Webhook requests by source and outcome",
            ),
            webhook_request_duration: seconds(
                all,
                "webhook_request_duration",
                "From a webhook request to its response",
            ),
            webhook_signature_failures: add(
                all,
                "webhook_signature_failures",
                "Webhook requests with a bad signature, by source and reason",
            ),
            insert_duration: seconds(
                all,
                "insert_duration",
                "One INSERT of deliveries, until its commit",
            ),
            insert_batch_rows: register(
                all,
                "insert_batch_rows",
                "Deliveries stored by one INSERT",
                Histogram::new(BATCH_ROWS),
            ),
            insert_failures: add(
                all,
                "insert_failures",
                "INSERTs of deliveries that failed and are retried",
            ),
            insert_queue_length: add(
                all,
                "insert_queue_length",
                "Deliveries in memory that wait for an INSERT",
            ),
            deliveries_storable: add(
                all,
                "deliveries_storable",
                "1 while deliveries can be stored, else 0",
            ),
            batch_duration: seconds(
                all,
                "batch_duration",
                "One batch of deliveries, from claim to commit",
            ),
            deliveries_settled: add(
                all,
                "deliveries_settled",
                "Processed, ignored and failed deliveries by source and outcome",
            ),
            deliveries_failed: add(
                all,
                "deliveries_failed",
                "Deliveries that failed `worker.max_attempts` times",
            ),
            delivery_latency: seconds(
                all,
                "delivery_latency",
                "From the arrival of a delivery until it is settled",
            ),
            employee_outcomes: add(
                all,
                "employee_outcomes",
                "Employees in settled deliveries by source and outcome",
            ),
            deactivations: add(all, "deactivations", "Deactivated accounts by source"),
            confirmations_failed: add(
                all,
                "confirmations_failed",
                "Confirmations of up to 2,000 unchanged employees that failed, by reason; their rows are written instead",
            ),
            requests_unrouted: add(
                all,
                "requests_unrouted",
                "Requests for which there is no route, by reason",
            ),
            clients_rejected: add(
                all,
                "clients_rejected",
                "Clients that were closed or got 503 for want of a slot or of memory, by listener and reason",
            ),
            connections_open: add(all, "connections_open", "Open connections by listener"),
            admin_requests_refused: add(
                all,
                "admin_requests_refused",
                "API requests without the administrator's token, by reason",
            ),
            tokio_tasks_alive: add(
                all,
                "tokio_tasks_alive",
                "Tasks that have not ended: the loops, and one per connection",
            ),
            trace_spans: add(
                all,
                "trace_spans",
                "Spans by outcome: sent to the collector, refused by it, or dropped since too many waited",
            ),
            events: EventCounters::register(all),
            shared: SharedGauges::register(all),
            started: Instant::now(),
            registry,
            process: process::registry(),
        }
    }
}

fn add<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    register(registry, name, help, M::default())
}

fn register<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

/// Registers with the suffix `_seconds`.
fn add_seconds<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register_with_unit(name, help, Unit::Seconds, metric.clone());
    metric
}

fn seconds(registry: &mut Registry, name: &str, help: &str) -> Histogram {
    let histogram = Histogram::new(SECONDS);
    registry.register_with_unit(name, help, Unit::Seconds, histogram.clone());
    histogram
}

impl Metrics {
    /// Counts a request for which there is no route.
    pub(crate) fn record_unrouted_request(&self, reason: &str) {
        let reason = reason.to_owned();
        self.requests_unrouted
            .get_or_create(&RejectReason { reason })
            .inc();
    }

    /// Counts a request without the administrator's token.
    pub(crate) fn record_refused_admin_request(&self, reason: &str) {
        let reason = reason.to_owned();
        self.admin_requests_refused
            .get_or_create(&RejectReason { reason })
            .inc();
    }

    /// Counts a webhook request: `stored`, `duplicate`, or the name of an error.
    pub(crate) fn record_webhook_request(&self, source: &SourceName, outcome: &str, seconds: f64) {
        self.webhook_requests
            .get_or_create(&SourceOutcome {
                source: source.to_string(),
                outcome: outcome.to_owned(),
            })
            .inc();
        self.webhook_request_duration.observe(seconds);
    }

    /// Counts a bad signature.
    pub(crate) fn record_signature_failure(&self, source: &SourceName, reason: &str) {
        self.webhook_signature_failures
            .get_or_create(&SourceReason {
                source: source.to_string(),
                reason: reason.to_owned(),
            })
            .inc();
    }

    /// Records one committed INSERT of this many deliveries.
    pub fn flushed(&self, rows: usize, elapsed: Duration) {
        let rows = u32::try_from(rows).unwrap_or(u32::MAX);
        self.insert_batch_rows.observe(f64::from(rows));
        self.insert_duration.observe(elapsed.as_secs_f64());
    }

    /// Counts a failed INSERT of deliveries.
    pub(crate) fn flush_failed(&self) {
        self.insert_failures.inc();
    }

    /// Sets how many deliveries wait for an INSERT.
    pub(crate) fn set_queue_length(&self, length: usize) {
        self.insert_queue_length
            .set(i64::try_from(length).unwrap_or(i64::MAX));
    }

    /// Sets whether deliveries can be stored.
    pub(crate) fn set_storing(&self, is_storing: bool) {
        self.deliveries_storable.set(is_storing.into());
    }

    /// Sets how many tasks of the process have not ended.
    pub(crate) fn set_alive_tasks(&self, tasks: usize) {
        self.tokio_tasks_alive
            .set(i64::try_from(tasks).unwrap_or(i64::MAX));
    }

    /// Records one committed batch of deliveries.
    pub fn processed(&self, elapsed: Duration) {
        self.batch_duration.observe(elapsed.as_secs_f64());
    }

    /// Counts a delivery that was settled as `outcome`, `elapsed` after its arrival.
    pub fn settled(&self, source: &str, outcome: &str, elapsed: Duration) {
        self.deliveries_settled
            .get_or_create(&SourceOutcome {
                source: source.to_owned(),
                outcome: outcome.to_owned(),
            })
            .inc();
        self.delivery_latency.observe(elapsed.as_secs_f64());
    }

    /// Counts this many employees with an outcome.
    pub fn ended(&self, source: &str, ending: &str, count: usize) {
        self.employee_outcomes
            .get_or_create(&SourceOutcome {
                source: source.to_owned(),
                outcome: ending.to_owned(),
            })
            .inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// Counts this many deactivated accounts.
    pub fn deactivated(&self, source: &str, count: usize) {
        self.deactivations
            .get_or_create(&Source {
                source: source.to_owned(),
            })
            .inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// Counts a failed confirmation of employees.
    pub(crate) fn confirmation_failed(&self, reason: &str) {
        let reason = reason.to_owned();
        self.confirmations_failed
            .get_or_create(&RejectReason { reason })
            .inc();
    }

    /// Counts a delivery that failed `worker.max_attempts` times.
    pub(crate) fn delivery_failed(&self) {
        self.deliveries_failed.inc();
    }
}
