//! The router of `server.admin_listen`: the API, metrics and health, behind layers that `/webhooks` must not have.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{
    MakeRequestUuid, PropagateRequestIdLayer, RequestId, SetRequestIdLayer,
};
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;
use tracing::{Span, info_span};

use super::error::ApiError;
use super::{AppState, employees, health, health_routes, request_log, unrouted};

/// The handlers have shorter limits of their own; this one stands behind them.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Builds the routes of `server.admin_listen`: `/api`, `/metrics` and health.
pub fn admin_router(state: Arc<AppState>) -> Router {
    let mut routes = health_routes().route("/metrics", get(health::metrics));
    if state.admin_token.is_some() {
        routes = routes.route(
            "/api/v1/employees",
            get(employees::list).fallback(employees::method_not_allowed),
        );
    }
    // A layer wraps those above it: a request passes the last one first.
    routes
        .fallback(unrouted::not_found)
        .layer(from_fn_with_state(Arc::clone(&state), request_log::log))
        .with_state(state)
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            TIMEOUT,
        ))
        .layer(CatchPanicLayer::custom(internal_error))
        .layer(SetResponseHeaderLayer::overriding(
            CACHE_CONTROL,
            HeaderValue::from_static("no-store"),
        ))
        .layer(SetResponseHeaderLayer::overriding(
            X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(request_span)
                // `request_log` has the line of each request.
                .on_request(())
                .on_response(())
                .on_failure(()),
        )
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .layer(SetSensitiveRequestHeadersLayer::new([AUTHORIZATION]))
}

/// Names the route instead of the URI: a query may name a person.
fn request_span(request: &Request) -> Span {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("none", MatchedPath::as_str);
    // A client may send an id of its own, of any length.
    let request_id = request
        .extensions()
        .get::<RequestId>()
        .and_then(|id| id.header_value().to_str().ok())
        .and_then(|id| id.get(..id.len().min(64)));
    info_span!("http.request", method = %request.method(), route, request_id)
}

/// Drops the panic's message, which may quote what was being read. The panic hook has logged its place.
fn internal_error(_panic: Box<dyn Any + Send>) -> Response {
    ApiError::Internal.into_response()
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_answered_without_its_message() {
        let response = internal_error(Box::new("dana@example.com"));
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(&body[..], br#"{"error":"internal error"}"#);
    }
}
