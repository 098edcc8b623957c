//! Requests for which there is no route. Both providers treat the 404 as final, so each is counted, and one that looks
//! like a webhook is logged and degrades health.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use tracing::{debug, warn};

use super::AppState;
use super::error::ApiError;
use super::peer::peer;

/// Labels of `leaver_requests_unrouted_total`.
pub(crate) const REASONS: [&str; 2] = [UNKNOWN_SOURCE, UNKNOWN_PATH];
const UNKNOWN_SOURCE: &str = "unknown_source";
const UNKNOWN_PATH: &str = "unknown_path";

/// Longest path in the log, in characters.
const MAX_PATH_CHARS: usize = 100;

/// Ends of the headers with which providers sign.
const SIGNATURE_HEADER: &str = "-signature";

/// Answers a request for which there is no route.
pub(super) async fn not_found(State(state): State<Arc<AppState>>, request: Request) -> ApiError {
    record(&state, &request, UNKNOWN_PATH);
    ApiError::NotFound
}

/// Answers a webhook whose source is not configured.
pub(super) fn unknown_source(state: &AppState, request: &Request) -> ApiError {
    record(state, request, UNKNOWN_SOURCE);
    ApiError::UnknownSource
}

fn record(state: &AppState, request: &Request, reason: &str) {
    state.metrics.record_unrouted_request(reason);
    let path = printable(request.uri().path());
    let peer = peer(request.extensions());
    if !resembles_webhook(state, request) {
        let peer = peer.map(tracing::field::display);
        debug!(path, peer, "api.route: no such path");
        return;
    }
    state.rejections.unrouted(state.clock.now());
    if let Some(line) = state.log_throttle.check(reason, peer, Instant::now()) {
        warn!(
            path,
            method = %request.method(),
            count = line.count,
            peers = line.peers,
            "api.route: a webhook got 404, {reason}; correct its URL or `server.path_prefix`"
        );
    }
}

/// Returns whether a provider may have sent it: the path mentions webhooks or ends with a source, or a header signs it.
fn resembles_webhook(state: &AppState, request: &Request) -> bool {
    let path = request.uri().path();
    let keys = state.webhook_keys.snapshot();
    let last = path.trim_end_matches('/').rsplit('/').next();
    let ends_with_source = keys
        .keys()
        .any(|source| last.is_some_and(|last| last.eq_ignore_ascii_case(source.as_str())));
    ends_with_source
        || path.to_ascii_lowercase().contains("webhook")
        || has_signature(request.headers())
}

fn has_signature(headers: &HeaderMap) -> bool {
    headers
        .keys()
        .any(|name| name.as_str().ends_with(SIGNATURE_HEADER))
}

/// Cuts a path, removes what may be an e-mail address, and escapes what is not printable ASCII.
fn printable(path: &str) -> String {
    let segments = path.split('/').map(|segment| {
        let may_be_email = segment.contains('@') || segment.contains("%40");
        if may_be_email { "(removed)" } else { segment }
    });
    let path = segments.collect::<Vec<_>>().join("/");
    let escaped = path.chars().take(MAX_PATH_CHARS);
    let mut text: String = escaped.flat_map(char::escape_default).collect();
    if path.chars().nth(MAX_PATH_CHARS).is_some() {
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_cut_and_escaped() {
        assert_eq!(printable("/webhooks/acme"), "/webhooks/acme");
        assert_eq!(printable("/a\n\u{1b}[2J\u{e9}"), "/a\\n\\u{1b}[2J\\u{e9}");
        assert_eq!(
            printable("/webhooks/ana@example.com/x"),
            "/webhooks/(removed)/x"
        );
        assert_eq!(printable("/ana%40example.com"), "/(removed)");
        let long = printable(&"/x".repeat(300));
        assert_eq!(long.len(), MAX_PATH_CHARS + 3);
    }
}
