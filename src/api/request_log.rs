//! A line at `debug` for each request. The matched route stands for the path, since a path or a query may name a person.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use tracing::{Level, debug, enabled};

use super::AppState;
use leaver_core::domain::SourceName;

/// Passes a request on, and logs its response. It answers nothing itself.
pub(super) async fn log(
    State(state): State<Arc<AppState>>,
    request: Request,
    next: Next,
) -> Response {
    if !enabled!(Level::DEBUG) {
        return next.run(request).await;
    }
    let began = Instant::now();
    let (method, matched) = (
        request.method().clone(),
        request.extensions().get().cloned(),
    );
    let source = source(&state, &request);
    let response = next.run(request).await;
    debug!(
        %method,
        path = matched.as_ref().map_or("none", MatchedPath::as_str),
        status = response.status().as_u16(),
        elapsed_ms = began.elapsed().as_millis(),
        source,
        "http.request: answered"
    );
    response
}

/// Returns the source of a webhook. An unknown name may be anything, so it is left out.
fn source(state: &AppState, request: &Request) -> Option<String> {
    let (_, name) = request.uri().path().split_once("/webhooks/")?;
    let name = SourceName::parse(name.trim_end_matches('/')).ok()?;
    let known = state.webhook_keys.snapshot();
    known.contains_key(&name).then(|| name.to_string())
}
