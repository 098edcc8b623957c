//! All error responses and their status codes. Both providers treat a 4xx as final and drop the event, so webhooks
//! get only the 401, 404, 405 and 413 below, and everything that may pass is a 503.

use axum::Json;
use axum::http::header::{ALLOW, CONNECTION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Why a request is not answered 200.
#[derive(Clone, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum ApiError {
    /// The signature is missing, malformed, stale or wrong. The response is the same for each; log and counter have the
    /// reason.
    InvalidSignature,
    /// No source of that name is configured.
    UnknownSource,
    /// No such route.
    NotFound,
    /// The route exists for another method.
    MethodNotAllowed {
        /// That method.
        allow: &'static str,
    },
    /// The body is larger than `server.max_body`.
    TooLarge,
    /// The body ended early or did not arrive within `server.body_timeout`.
    Incomplete,
    /// No memory or queue is free for the delivery.
    Overloaded,
    /// The delivery was not stored within `server.store_timeout`.
    #[strum(serialize = "not_stored")]
    StoreError,
    /// The service is starting or draining.
    NotReady,
    /// The administrator's token is missing or wrong. Never the answer to a webhook.
    Unauthorized,
    /// The peer sent many wrong tokens within a second. Never the answer to a webhook.
    TooManyFailures,
    /// A query parameter is wrong; the text names it. Never the answer to a webhook.
    BadParameter(String),
    /// The roster was not read within `server.store_timeout`.
    QueryUnavailable,
    /// A handler of the admin listener panicked.
    Internal,
}

impl ApiError {
    /// The labels that a request to `/webhooks/{source}` of a configured source can get, beside `stored` and `duplicate`.
    pub(crate) const WEBHOOK_LABELS: [&'static str; 7] = [
        "invalid_signature",
        "method_not_allowed",
        "too_large",
        "incomplete",
        "overloaded",
        "not_stored",
        "not_ready",
    ];

    /// Returns the label of the metrics.
    #[must_use]
    pub(crate) fn as_str(&self) -> &'static str {
        self.into()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, text) = match &self {
            Self::InvalidSignature => (StatusCode::UNAUTHORIZED, "invalid signature"),
            Self::UnknownSource => (StatusCode::NOT_FOUND, "unknown source"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not found"),
            Self::MethodNotAllowed { .. } => (StatusCode::METHOD_NOT_ALLOWED, "method not allowed"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body too large"),
            Self::Incomplete => (StatusCode::SERVICE_UNAVAILABLE, "body incomplete"),
            Self::Overloaded | Self::StoreError => {
                (StatusCode::SERVICE_UNAVAILABLE, "cannot store now")
            }
            Self::NotReady => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
            Self::Unauthorized => (
                StatusCode::UNAUTHORIZED,
                "needs the header Authorization: Bearer with the administrator's token",
            ),
            Self::TooManyFailures => (
                StatusCode::TOO_MANY_REQUESTS,
                "too many wrong tokens; try again in a second",
            ),
            Self::BadParameter(problem) => (StatusCode::BAD_REQUEST, problem.as_str()),
            Self::QueryUnavailable => (StatusCode::SERVICE_UNAVAILABLE, "cannot read now"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal error"),
        };
        let mut response = (status, Json(json!({ "error": text }))).into_response();
        let headers = response.headers_mut();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        // The rest of the body is not read.
        if matches!(self, Self::TooLarge | Self::Incomplete | Self::Overloaded) {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        match self {
            Self::MethodNotAllowed { allow } => {
                headers.insert(ALLOW, HeaderValue::from_static(allow));
            }
            Self::TooManyFailures => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Self::Unauthorized => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response
    }
}
