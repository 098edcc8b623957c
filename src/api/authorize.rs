//! Authorizes a request to the API, or refuses it: counted by reason, logged once a minute, and slowed down by peer.

use std::time::Instant;

use axum::extract::Request;
use tracing::warn;

use super::AppState;
use super::error::ApiError;
use super::peer::peer;

/// Labels of `leaver_admin_requests_refused_total`.
pub(crate) const REASONS: [&str; 2] = ["unauthorized", "too_many_failures"];

/// Fails unless the request has the administrator's token.
///
/// A right token is accepted from every peer, also from one with many failures: all programs on a machine, or behind one
/// proxy that is not trusted, are one peer.
pub(super) fn authorize(state: &AppState, request: &Request) -> Result<(), ApiError> {
    let Some(token) = &state.admin_token else {
        return Err(ApiError::NotFound);
    };
    if token.authorizes(request.headers()) {
        return Ok(());
    }
    let (peer, now) = (peer(request.extensions()), Instant::now());
    let is_answered = peer.is_none_or(|peer| state.token_failures.record(peer, now));
    let error = if is_answered {
        ApiError::Unauthorized
    } else {
        ApiError::TooManyFailures
    };
    state.metrics.record_refused_admin_request(error.as_str());
    if let Some(line) = state.log_throttle.check("admin token", peer, now) {
        let (count, peers) = (line.count, line.peers);
        warn!(
            count,
            peers, "api.authorize: refused: the administrator's token is missing or wrong"
        );
    }
    Err(error)
}
