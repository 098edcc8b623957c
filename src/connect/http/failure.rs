//! Attempts without a usable body.

use std::time::Duration;

use bytes::Bytes;

use crate::connect::ReadError;
use crate::connect::failure::cause;

/// An attempt without a usable body.
pub(crate) struct RequestFailure {
    pub(crate) error: ReadError,
    /// The status of the response, or the one named in its body.
    pub(crate) status: Option<u16>,
    /// True if the request certainly did not reach the API.
    pub(super) not_sent: bool,
    /// The body of a refusal about a webhook.
    pub(crate) refusal: Bytes,
}

impl RequestFailure {
    pub(super) fn new(error: ReadError, status: Option<u16>) -> Self {
        Self {
            error,
            status,
            not_sent: false,
            refusal: Bytes::new(),
        }
    }

    pub(crate) fn not_sent(error: ReadError) -> Self {
        Self {
            not_sent: true,
            ..Self::new(error, None)
        }
    }

    /// Returns the failure of a response that cannot be parsed.
    pub(crate) fn from_response(error: ReadError) -> Self {
        Self::new(error, Some(200))
    }

    /// Returns true if the request may have succeeded: it was sent, and no refusal came back.
    pub(crate) fn may_have_succeeded(&self) -> bool {
        let refused = |status| (300..500).contains(&status) && status != 408;
        !self.not_sent && !self.status.is_some_and(refused)
    }
}

impl From<RequestFailure> for ReadError {
    fn from(failure: RequestFailure) -> Self {
        failure.error
    }
}

pub(super) fn is_retried(error: &ReadError) -> bool {
    matches!(
        error,
        ReadError::RateLimited { .. } | ReadError::Unavailable { .. } | ReadError::Timeout
    )
}

pub(super) fn unexpected(problem: &'static str) -> RequestFailure {
    RequestFailure::new(ReadError::UnexpectedResponse { problem }, Some(200))
}

/// Returns the failure that a status stands for.
pub(crate) fn status_failure(
    status: u16,
    check: &'static str,
    retry_after: Option<Duration>,
) -> RequestFailure {
    let error = match status {
        401 => ReadError::Unauthorized { check },
        403 => ReadError::Forbidden { check },
        404 => ReadError::NotFound { check },
        408 => ReadError::Timeout,
        429 => ReadError::RateLimited { retry_after },
        500.. => ReadError::Unavailable {
            problem: format!("it responds with {status}"),
            answered: true,
            retry_after,
        },
        400.. => ReadError::Refused { status },
        300.. => ReadError::UnexpectedResponse {
            problem: "it redirects to another address",
        },
        _ => ReadError::UnexpectedResponse {
            problem: "it has no body",
        },
    };
    RequestFailure::new(error, Some(status))
}

pub(super) fn connection_failure(error: &reqwest::Error) -> RequestFailure {
    let error = if error.is_timeout() {
        ReadError::Timeout
    } else {
        ReadError::Unavailable {
            problem: cause(error),
            answered: false,
            retry_after: None,
        }
    };
    RequestFailure::new(error, None)
}
