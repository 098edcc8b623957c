//! The span within which a task runs, so that requests to APIs become its children.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tracing::{Instrument, info_span};

use super::{Kind, Span, SpanContext, Traces, Value, begin};

tokio::task_local! {
    static CURRENT: Scope;
}

/// A span that is not finished, and where its children are recorded.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    traces: Traces,
    context: SpanContext,
}

impl Scope {
    /// Returns the scope of a span.
    pub(crate) fn new(traces: &Traces, context: SpanContext) -> Self {
        Self {
            traces: traces.clone(),
            context,
        }
    }

    /// Returns the scope in which the caller runs.
    pub(crate) fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }

    /// Runs a future within this span. Its log lines have the id of the trace.
    pub(crate) async fn run<F: Future>(self, future: F) -> F::Output {
        let trace_id = tracing::field::display(self.context.trace_id());
        let span = info_span!("trace", trace_id);
        CURRENT.scope(self, future.instrument(span)).await
    }

    /// Records a request that ended now.
    pub(crate) fn record_request(
        &self,
        name: &'static str,
        now: DateTime<Utc>,
        elapsed: Duration,
        attributes: Vec<(&'static str, Value)>,
        is_error: bool,
    ) {
        self.traces.record(Span {
            context: self.context.child(),
            parent: Some(self.context),
            name,
            kind: Kind::Client,
            start: begin(now, elapsed),
            end: now,
            attributes,
            links: vec![],
            is_error,
        });
    }
}

/// Makes a future that runs within the span of the caller, also in another task.
pub(crate) fn inherit<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let scope = Scope::current();
    async move {
        match scope {
            Some(scope) => scope.run(future).await,
            None => future.await,
        }
    }
}
