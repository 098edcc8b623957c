//! Spans of reads over the providers' APIs.

use chrono::{DateTime, Utc};

use crate::base::traces::{Kind, Scope, Span, SpanContext, Traces};
use leaver_core::domain::{DeliveryId, SourceName};

/// A read that is traced.
pub(crate) struct TracedRead {
    traces: Traces,
    context: SpanContext,
    /// The delivery that caused it.
    cause: Option<SpanContext>,
    name: &'static str,
    start: DateTime<Utc>,
}

impl TracedRead {
    /// Begins a span. A read that a delivery caused belongs to the delivery's trace. Returns `None` if it is not recorded.
    pub(crate) fn begin(
        traces: &Traces,
        name: &'static str,
        cause: Option<DeliveryId>,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        let (context, cause) = match cause {
            Some(delivery) => {
                let received = traces.of_delivery(delivery.0)?;
                (received.child(), Some(received))
            }
            None => (traces.new_trace()?, None),
        };
        Some(Self {
            traces: traces.clone(),
            context,
            cause,
            name,
            start: now,
        })
    }

    /// Runs a future within the span of this read, if there is one. Requests to the API become its children.
    pub(crate) async fn run<F: Future>(read: Option<&Self>, future: F) -> F::Output {
        match read {
            Some(read) => Scope::new(&read.traces, read.context).run(future).await,
            None => future.await,
        }
    }

    /// Records the span, which ends now.
    pub(crate) fn end(self, source: &SourceName, is_error: bool, now: DateTime<Utc>) {
        self.traces.record(Span {
            context: self.context,
            parent: self.cause,
            name: self.name,
            kind: Kind::Internal,
            start: self.start,
            end: now,
            attributes: vec![("leaver.source", source.as_str().into())],
            links: self.cause.into_iter().collect(),
            is_error,
        });
    }
}
