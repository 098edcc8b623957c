//! Spans of processed batches and deliveries.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::batch::{Batch, SettledDelivery};
use crate::base::traces::{Kind, Span, SpanContext, Traces, begin};

/// Most links of a span, as OpenTelemetry limits them.
const MAX_LINKS: usize = 128;

/// Records a batch that was committed now, and each of its deliveries in the delivery's own trace.
pub(super) fn record_batch(traces: &Traces, batch: &Batch, elapsed: Duration, now: DateTime<Utc>) {
    let received = |settled: &SettledDelivery| traces.of_delivery(settled.id.0);
    let links: Vec<SpanContext> = batch.deliveries.iter().filter_map(received).collect();
    let Some(first) = links.first() else { return };
    // A trace of its own: the batch belongs to all its deliveries alike.
    let context = traces.new_trace().unwrap_or_else(|| first.child());
    let span = Span {
        context,
        parent: None,
        name: "process batch",
        kind: Kind::Consumer,
        start: begin(now, elapsed),
        end: now,
        attributes: vec![(
            "messaging.batch.message_count",
            batch.deliveries.len().into(),
        )],
        links: links.iter().take(MAX_LINKS).copied().collect(),
        is_error: false,
    };
    for settled in &batch.deliveries {
        let Some(received) = received(settled) else {
            continue;
        };
        let employees: usize = settled.outcomes.values().sum();
        let outcome: Vec<String> = settled
            .outcomes
            .iter()
            .map(|(outcome, count)| format!("{}={count}", outcome.as_str()))
            .collect();
        traces.record(Span {
            context: received.child(),
            parent: Some(received),
            name: "process delivery",
            kind: Kind::Consumer,
            attributes: vec![
                ("leaver.source", settled.source.as_str().into()),
                ("leaver.state", settled.state.into()),
                ("leaver.employees", employees.into()),
                ("leaver.outcome", outcome.join(" ").as_str().into()),
            ],
            links: vec![context],
            is_error: settled.state == "failed",
            ..span.clone()
        });
    }
    traces.record(span);
}
