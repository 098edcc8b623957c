//! Spans of webhook requests. Only authentic ones have a span, so that forged requests cannot flood the collector.

use std::time::Instant;

use super::AppState;
use super::error::ApiError;
use crate::base::traces::{Kind, Span, SpanContext, begin};
use crate::ingest::inbox::arrivals::Receipt;
use leaver_core::domain::SourceName;

/// Records a request that ended now. Returns its context, if its trace is recorded.
pub(super) fn record_receipt(
    state: &AppState,
    source: &SourceName,
    stored: &Result<Receipt, ApiError>,
    began: Instant,
) -> Option<SpanContext> {
    let (context, parent, outcome, status) = match stored {
        Ok(receipt) => {
            let first = state.traces.of_delivery(receipt.id.0)?;
            if receipt.duplicate {
                (first.child(), Some(first), "duplicate", 200_u16)
            } else {
                (first, None, "stored", 200)
            }
        }
        Err(error @ ApiError::StoreError) => (state.traces.new_trace()?, None, error.as_str(), 503),
        Err(_) => return None,
    };
    let now = state.clock.now();
    state.traces.record(Span {
        context,
        parent,
        name: "POST /webhooks/{source}",
        kind: Kind::Server,
        start: begin(now, began.elapsed()),
        end: now,
        attributes: vec![
            ("http.request.method", "POST".into()),
            ("http.route", "/webhooks/{source}".into()),
            ("http.response.status_code", status.into()),
            ("leaver.source", source.as_str().into()),
            ("leaver.outcome", outcome.into()),
        ],
        links: vec![],
        is_error: stored.is_err(),
    });
    Some(context)
}
