//! The one place with status codes for what we refuse. Both providers take a 4xx as final and drop the
//! event, so webhooks get no other 4xx than the first five, and everything that may pass is a 503.

use axum::Json;
use axum::http::header::{ALLOW, CONNECTION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Why a request gets no 200.
#[derive(Clone, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum ApiError {
    /// The signature does not hold. One text for every cause: the cause is in the log and a counter.
    InvalidSignature,
    /// No source of that name is configured.
    UnknownSource,
    /// There is no such route.
    NoSuchRoute,
    /// Only POST is for webhooks.
    MethodNotAllowed,
    /// The body is over the limit.
    TooLarge,
    /// The body did not arrive whole or in time.
    Incomplete,
    /// There is no room for it now; the sender should come again.
    Full,
    /// It could not be stored in time; the sender should come again.
    StoreError,
    /// The service is starting or stopping; the sender should come again.
    NotReady,
    /// The administrator's token is missing or wrong; never said to a provider. One text for both.
    Unauthorized,
    /// A parameter of a question is wrong: which, and what would be right. Never said to a provider.
    BadParameter(String),
    /// Only GET is for questions; never said to a provider.
    OnlyGet,
    /// The roster could not be read in time; whoever asks should come again.
    NotRead,
}

impl ApiError {
    /// Returns the word in metrics.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        self.into()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, text) = match &self {
            Self::InvalidSignature => (StatusCode::UNAUTHORIZED, "invalid signature"),
            Self::UnknownSource => (StatusCode::NOT_FOUND, "unknown source"),
            Self::NoSuchRoute => (StatusCode::NOT_FOUND, "not found"),
            Self::MethodNotAllowed | Self::OnlyGet => {
                (StatusCode::METHOD_NOT_ALLOWED, "method not allowed")
            }
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body too large"),
            Self::Incomplete => (StatusCode::SERVICE_UNAVAILABLE, "body incomplete"),
            Self::Full | Self::StoreError => (StatusCode::SERVICE_UNAVAILABLE, "cannot store now"),
            Self::NotReady => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
            Self::Unauthorized => (
                StatusCode::UNAUTHORIZED,
                "needs the header Authorization: Bearer with the administrator's token",
            ),
            Self::BadParameter(problem) => (StatusCode::BAD_REQUEST, problem.as_str()),
            Self::NotRead => (StatusCode::SERVICE_UNAVAILABLE, "cannot read now"),
        };
        let mut response = (status, Json(json!({ "error": text }))).into_response();
        let headers = response.headers_mut();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        if matches!(self, Self::TooLarge | Self::Incomplete | Self::Full) {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        match self {
            Self::MethodNotAllowed => {
                headers.insert(ALLOW, HeaderValue::from_static("POST"));
            }
            Self::OnlyGet => {
                headers.insert(ALLOW, HeaderValue::from_static("GET"));
            }
            Self::Unauthorized => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response
    }
}
