//! Spans of what the service does, for OpenTelemetry. They hold only what is listed where they are recorded: names, ids of
//! deliveries, counts and statuses, and no personal data.
//!
//! The trace of a delivery has the delivery's id, so that every replica links to it without a column for it, and decides
//! alike if it is sampled.

mod scope;
mod span;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::mpsc;
use uuid::Uuid;

pub(crate) use self::scope::{Scope, inherit};
pub use self::span::{Kind, Span, SpanContext, Value};
use super::metrics::Metrics;

/// Spans that wait to be sent. More are dropped.
const MAX_WAITING: usize = 2_048;

/// Records spans; does nothing if traces are off.
#[derive(Clone, Debug, Default)]
pub struct Traces(Option<Arc<Recorder>>);

#[derive(Debug)]
struct Recorder {
    spans: mpsc::Sender<Span>,
    percent: u32,
    metrics: Arc<Metrics>,
    /// The other end of `spans`, until it is taken.
    waiting: Mutex<Option<mpsc::Receiver<Span>>>,
}

impl Traces {
    /// Starts recording this percentage of traces.
    #[must_use]
    pub(crate) fn start(percent: u32, metrics: Arc<Metrics>) -> Self {
        let (spans, waiting) = mpsc::channel(MAX_WAITING);
        Self(Some(Arc::new(Recorder {
            spans,
            percent,
            metrics,
            waiting: Mutex::new(Some(waiting)),
        })))
    }

    /// Returns the spans that are recorded, once.
    pub(crate) fn take_spans(&self) -> Option<mpsc::Receiver<Span>> {
        let waiting = &self.0.as_ref()?.waiting;
        waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Returns whether spans are recorded.
    #[must_use]
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Returns the context of the request that brought a delivery, if its trace is recorded.
    #[must_use]
    pub fn of_delivery(&self, id: Uuid) -> Option<SpanContext> {
        self.sampled(SpanContext::of_delivery(id))
    }

    /// Returns a new trace, if it is recorded.
    #[must_use]
    pub(crate) fn new_trace(&self) -> Option<SpanContext> {
        self.0.as_ref()?;
        self.sampled(SpanContext::new_trace())
    }

    fn sampled(&self, context: SpanContext) -> Option<SpanContext> {
        let percent = self.0.as_ref()?.percent;
        context.is_among(percent).then_some(context)
    }

    /// Records a span. Drops it if too many wait to be sent.
    pub fn record(&self, span: Span) {
        if let Some(recorder) = &self.0
            && recorder.spans.try_send(span).is_err()
        {
            recorder.metrics.record_spans("dropped", 1);
        }
    }
}

/// Returns when something began that ended now and took so long.
#[must_use]
pub(crate) fn begin(now: DateTime<Utc>, elapsed: Duration) -> DateTime<Utc> {
    now - TimeDelta::from_std(elapsed).unwrap_or_default()
}
