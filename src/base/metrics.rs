//! Counters and histograms in Prometheus' text format. One registry per service, so two services in one
//! process, as in tests, do not count into each other. No label ever holds anything personal.

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use leaver_core::domain::SourceName;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Source {
    source: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SourceOutcome {
    source: String,
    outcome: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SourceCause {
    source: String,
    cause: String,
}

/// What the database knows and a counter cannot: read when metrics are asked for.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    /// Deliveries that are not settled.
    pub pending: i64,
    /// Age of the oldest of them in seconds.
    pub oldest_seconds: i64,
    /// Deliveries that could not be processed.
    pub failed: i64,
    /// Open holds.
    pub holds: i64,
    /// Access ends that lie ahead.
    pub scheduled: i64,
    /// Accounts that are on although their employee has left, as of the last comparison, if there was one.
    pub terminated_with_access: Option<i64>,
    /// Per source, how many of BambooHR's webhooks somebody should look at.
    pub webhook_trouble: Vec<(SourceName, i64)>,
    /// Per source, seconds since its last delivery.
    pub last_delivery_seconds: Vec<(SourceName, i64)>,
    /// Per source, seconds since the last complete read of its API ended.
    pub last_read_seconds: Vec<(SourceName, i64)>,
}

/// All that one service counts.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    received: Family<SourceOutcome, Counter>,
    signature_failures: Family<SourceCause, Counter>,
    settled: Family<SourceOutcome, Counter>,
    employees: Family<SourceOutcome, Counter>,
    deactivations: Family<Source, Counter>,
    parked: Counter,
    answer: Histogram,
    flush_rows: Histogram,
    flush: Histogram,
    flushes_failed: Counter,
    intake_waiting: Gauge,
    tasks: Gauge,
    processing: Histogram,
    end_to_end: Histogram,
    backlog_waiting: Gauge,
    backlog_oldest: Gauge,
    backlog_parked: Gauge,
    holds_open: Gauge,
    scheduled: Gauge,
    webhook_trouble: Family<Source, Gauge>,
    last_delivery: Family<Source, Gauge>,
    last_read: Family<Source, Gauge>,
    terminated_with_access: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let steps = || {
            [
                0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
                60.0, 300.0,
            ]
        };
        let mut registry = Registry::with_prefix("leaver");
        let metrics = Self {
            registry: Registry::default(),
            received: Family::default(),
            signature_failures: Family::default(),
            settled: Family::default(),
            employees: Family::default(),
            deactivations: Family::default(),
            parked: Counter::default(),
            answer: Histogram::new(steps()),
            flush_rows: Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0]),
            flush: Histogram::new(steps()),
            flushes_failed: Counter::default(),
            intake_waiting: Gauge::default(),
            tasks: Gauge::default(),
            processing: Histogram::new(steps()),
            end_to_end: Histogram::new(steps()),
            backlog_waiting: Gauge::default(),
            backlog_oldest: Gauge::default(),
            backlog_parked: Gauge::default(),
            holds_open: Gauge::default(),
            scheduled: Gauge::default(),
            webhook_trouble: Family::default(),
            last_delivery: Family::default(),
            last_read: Family::default(),
            terminated_with_access: Gauge::default(),
        };
        registry.register(
            "deliveries_received",
            "Webhook requests by source and answer",
            metrics.received.clone(),
        );
        registry.register(
            "signature_failures",
            "Refused webhook requests by source and cause",
            metrics.signature_failures.clone(),
        );
        registry.register(
            "deliveries",
            "Settled deliveries by source and outcome",
            metrics.settled.clone(),
        );
        registry.register(
            "employees",
            "Employees named in settled deliveries, by source and how it ended for them",
            metrics.employees.clone(),
        );
        registry.register(
            "deactivations",
            "Accounts switched off, by source",
            metrics.deactivations.clone(),
        );
        registry.register(
            "deliveries_failed",
            "Deliveries parked after failing too often",
            metrics.parked.clone(),
        );
        registry.register_with_unit(
            "answer",
            "From the request to its answer",
            Unit::Seconds,
            metrics.answer.clone(),
        );
        registry.register(
            "flush_rows",
            "Deliveries that were stored in one statement",
            metrics.flush_rows.clone(),
        );
        registry.register_with_unit(
            "flush",
            "One statement that stores deliveries, until its commit",
            Unit::Seconds,
            metrics.flush.clone(),
        );
        registry.register(
            "flushes_failed",
            "Flushes that the database did not take and that are tried again",
            metrics.flushes_failed.clone(),
        );
        registry.register(
            "intake_waiting",
            "Deliveries in memory that wait for a flush",
            metrics.intake_waiting.clone(),
        );
        registry.register(
            "tasks",
            "Tasks of the process that have not ended: the loops, and one per connection",
            metrics.tasks.clone(),
        );
        registry.register_with_unit(
            "processing",
            "One batch of deliveries, from claiming to committing",
            Unit::Seconds,
            metrics.processing.clone(),
        );
        registry.register_with_unit(
            "end_to_end",
            "From the arrival of a delivery to its settling",
            Unit::Seconds,
            metrics.end_to_end.clone(),
        );
        registry.register(
            "backlog_waiting",
            "Deliveries that are not settled",
            metrics.backlog_waiting.clone(),
        );
        registry.register_with_unit(
            "backlog_oldest",
            "Age of the oldest delivery that is not settled",
            Unit::Seconds,
            metrics.backlog_oldest.clone(),
        );
        registry.register(
            "backlog_parked",
            "Deliveries that could not be processed",
            metrics.backlog_parked.clone(),
        );
        registry.register(
            "holds_open",
            "Decisions that wait for a person",
            metrics.holds_open.clone(),
        );
        registry.register(
            "scheduled",
            "Access ends that lie ahead",
            metrics.scheduled.clone(),
        );
        registry.register(
            "webhook_trouble",
            "BambooHR's webhooks of a source that somebody should look at",
            metrics.webhook_trouble.clone(),
        );
        registry.register_with_unit(
            "last_delivery_age",
            "Since the last delivery of a source",
            Unit::Seconds,
            metrics.last_delivery.clone(),
        );
        registry.register_with_unit(
            "last_read_age",
            "Since the last complete read of a source's API ended",
            Unit::Seconds,
            metrics.last_read.clone(),
        );
        registry.register(
            "drift_terminated_with_access",
            "Accounts that are on although their employee has left, at the last comparison",
            metrics.terminated_with_access.clone(),
        );
        Self {
            registry,
            ..metrics
        }
    }
}

impl Metrics {
    /// A webhook request was answered: stored, duplicate, refused or unavailable.
    pub fn answered(&self, source: &SourceName, outcome: &str, seconds: f64) {
        self.received
            .get_or_create(&SourceOutcome {
                source: source.to_string(),
                outcome: outcome.to_owned(),
            })
            .inc();
        self.answer.observe(seconds);
    }

    /// So many deliveries were stored together.
    pub fn flushed(&self, rows: usize, elapsed: Duration) {
        let rows = u32::try_from(rows).unwrap_or(u32::MAX);
        self.flush_rows.observe(f64::from(rows));
        self.flush.observe(elapsed.as_secs_f64());
    }

    /// The database did not take a flush; it is tried again.
    pub fn flush_failed(&self) {
        self.flushes_failed.inc();
    }

    /// So many deliveries wait for a flush.
    pub fn lined_up(&self, waiting: usize) {
        self.intake_waiting
            .set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    /// So many tasks of the process have not ended.
    pub fn alive(&self, tasks: usize) {
        self.tasks.set(i64::try_from(tasks).unwrap_or(i64::MAX));
    }

    /// A signature did not hold.
    pub fn refused(&self, source: &SourceName, cause: &str) {
        self.signature_failures
            .get_or_create(&SourceCause {
                source: source.to_string(),
                cause: cause.to_owned(),
            })
            .inc();
    }

    /// A batch of deliveries was processed.
    pub fn processed(&self, elapsed: Duration) {
        self.processing.observe(elapsed.as_secs_f64());
    }

    /// A delivery was settled as `outcome`, this long after it arrived.
    pub fn settled(&self, source: &str, outcome: &str, elapsed: Duration) {
        self.settled
            .get_or_create(&SourceOutcome {
                source: source.to_owned(),
                outcome: outcome.to_owned(),
            })
            .inc();
        self.end_to_end.observe(elapsed.as_secs_f64());
    }

    /// It ended so for this many employees.
    pub fn ended(&self, source: &str, ending: &str, count: usize) {
        self.employees
            .get_or_create(&SourceOutcome {
                source: source.to_owned(),
                outcome: ending.to_owned(),
            })
            .inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// This many accounts were switched off.
    pub fn deactivated(&self, source: &str, count: usize) {
        self.deactivations
            .get_or_create(&Source {
                source: source.to_owned(),
            })
            .inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// A delivery failed too often.
    pub fn parked(&self) {
        self.parked.inc();
    }

    /// Everything as text. What the database knows stays as it was when it is not given.
    ///
    /// # Errors
    /// When formatting fails, which it does not in memory.
    pub fn text(&self, gauges: Option<&Gauges>) -> Result<String, std::fmt::Error> {
        if let Some(gauges) = gauges {
            self.set(gauges);
        }
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }

    fn set(&self, gauges: &Gauges) {
        self.backlog_waiting.set(gauges.pending);
        self.backlog_oldest.set(gauges.oldest_seconds);
        self.backlog_parked.set(gauges.failed);
        self.holds_open.set(gauges.holds);
        self.scheduled.set(gauges.scheduled);
        if let Some(count) = gauges.terminated_with_access {
            self.terminated_with_access.set(count);
        }
        for (family, numbers) in [
            (&self.webhook_trouble, &gauges.webhook_trouble),
            (&self.last_delivery, &gauges.last_delivery_seconds),
            (&self.last_read, &gauges.last_read_seconds),
        ] {
            for (source, number) in numbers {
                let source = source.to_string();
                family.get_or_create(&Source { source }).set(*number);
            }
        }
    }
}
