//! Why a read of an API failed. No text here ever holds a key, a token, a URL's query or a piece of an
//! answer; each says which setting to look at, where one can be the cause.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

use leaver_core::providers::InvalidResponse;

/// Why a read failed. Whatever it is, nothing may be concluded about anybody from it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// HTTP 401.
    #[error("the API does not accept our credentials (401): check {check}")]
    Unauthorized {
        /// The settings that can be the cause.
        check: &'static str,
    },
    /// HTTP 403: the credentials are known and may not do this.
    #[error("the API does not allow this read (403): check what {check} may see")]
    Forbidden {
        /// The settings that can be the cause.
        check: &'static str,
    },
    /// HTTP 404 where something must be.
    #[error("the API has nothing at that address (404): check {check}")]
    NotFound {
        /// The settings that can be the cause.
        check: &'static str,
    },
    /// Another 4xx.
    #[error(
        "the API refused the request ({status}): if it stays so, report it as a fault of Leaver's"
    )]
    Refused {
        /// The HTTP status.
        status: u16,
    },
    /// HTTP 429, also after all tries.
    #[error("the API asks for fewer requests (429): read less often with api.poll, if it stays so")]
    RateLimited {
        /// How long it asks to wait, counted from its answer.
        retry_after: Option<Duration>,
    },
    /// No connection, or a 5xx, also after all tries.
    #[error(
        "the API is unavailable: {problem}; check api.base_url and the network, if it stays so"
    )]
    Unavailable {
        /// What went wrong, without the address.
        problem: String,
        /// How long it asks to wait, counted from its answer.
        retry_after: Option<Duration>,
    },
    /// No answer in time, also after all tries.
    #[error("the API did not answer in time")]
    Timeout,
    /// A page, a redirect, or JSON of another shape: something else answers there, or the contract changed.
    #[error("what answers is not the API: {problem}; check api.base_url and api.company_domain")]
    UnexpectedResponse {
        /// What is wrong with the answer.
        problem: &'static str,
    },
    /// An answer over the size limit.
    #[error("the API's answer is longer than {limit_bytes} bytes")]
    TooLong {
        /// The limit.
        limit_bytes: usize,
    },
    /// A page was promised and did not come, or an answer ended in the middle.
    #[error("the read was cut: {problem}; what came until then is not everything")]
    Truncated {
        /// Where it was cut.
        problem: &'static str,
    },
    /// The record came with nothing in it that we may see.
    #[error("all that we need of the record is null or withheld: check what {check} may see")]
    NullRecord {
        /// The settings that can be the cause.
        check: &'static str,
    },
    /// An id that the provider cannot have given.
    #[error("that is no employee id of this provider's")]
    InvalidId,
    /// No request was made: this tenant's credentials were refused a short time ago.
    #[error(
        "no request until {}, since the API refused our credentials: check {check}",
        until.to_rfc3339_opts(SecondsFormat::Secs, true)
    )]
    CredentialsBlocked {
        /// When the next request may be made.
        until: DateTime<Utc>,
        /// The settings that can be the cause.
        check: &'static str,
    },
    /// No request was made: this host has given too many errors within seconds, and more of them could get
    /// our address blocked.
    #[error("no request, since this API has answered with too many errors within seconds")]
    HostThrottled,
}

impl ReadError {
    /// True when the same read may succeed later without anybody doing anything.
    #[must_use]
    pub fn is_worth_retrying(&self) -> bool {
        match self {
            Self::RateLimited { .. }
            | Self::Unavailable { .. }
            | Self::Timeout
            | Self::Truncated { .. }
            // A page of a proxy's or of a maintenance goes away by itself.
            | Self::UnexpectedResponse { .. }
            // The cool-down may outlast its cause: somebody mended the permission at the provider.
            | Self::CredentialsBlocked { .. }
            | Self::HostThrottled => true,
            Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::NotFound { .. }
            | Self::Refused { .. }
            | Self::TooLong { .. }
            | Self::NullRecord { .. }
            | Self::InvalidId => false,
        }
    }

    /// How long the API asked to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } | Self::Unavailable { retry_after, .. } => {
                *retry_after
            }
            _ => None,
        }
    }

    /// The word that stands for it in the database, in `/health` and in a metric.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Unauthorized { .. } => "unauthorized",
            Self::Forbidden { .. } => "forbidden",
            Self::NotFound { .. } => "not_found",
            Self::Refused { .. } => "refused",
            Self::RateLimited { .. } => "rate_limited",
            Self::Unavailable { .. } => "unavailable",
            Self::Timeout => "timeout",
            Self::UnexpectedResponse { .. } => "unexpected_response",
            Self::TooLong { .. } => "too_long",
            Self::Truncated { .. } => "truncated",
            Self::NullRecord { .. } => "null_record",
            Self::InvalidId => "invalid_id",
            Self::CredentialsBlocked { .. } => "credentials_blocked",
            Self::HostThrottled => "host_throttled",
        }
    }
}

impl From<InvalidResponse> for ReadError {
    fn from(bad: InvalidResponse) -> Self {
        match bad {
            InvalidResponse::CutOff => Self::Truncated {
                problem: "the JSON ends in the middle",
            },
            InvalidResponse::NotJson => Self::UnexpectedResponse {
                problem: "it is not JSON",
            },
            InvalidResponse::WrongShape(problem) => Self::UnexpectedResponse { problem },
        }
    }
}
