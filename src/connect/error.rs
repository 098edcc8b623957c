//! Why a read of an API failed. No text contains a key, a token, a URL's query or a part of a response.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

use leaver_core::providers::{EntryError, InvalidResponse};

/// Why a read failed. No conclusion about any employee follows from it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum ReadError {
    /// HTTP 401.
    #[error("the API does not accept our credentials (401); check {check}")]
    Unauthorized {
        /// The settings that can be the cause.
        check: &'static str,
    },
    /// HTTP 403: the credentials are valid and lack a right.
    #[error("the API does not allow this read (403); check the rights of {check}")]
    Forbidden {
        /// The settings that can be the cause.
        check: &'static str,
    },
    /// HTTP 404 for something that must exist.
    #[error("the API has nothing at this address (404); check {check}")]
    NotFound {
        /// The settings that can be the cause.
        check: &'static str,
    },
    /// HTTP 404 for an employee whom the list of changes does not contain as deleted.
    #[error(
        "the API does not return this employee (404), and does not list a deletion; check `api.base_url`, `api.company_domain` and the employee in the HR system"
    )]
    NotListedAsDeleted,
    /// Another 4xx.
    #[error("the API refused the request ({status}); if it persists, report a bug in Leaver")]
    Refused {
        /// The HTTP status.
        status: u16,
    },
    /// HTTP 429 on all attempts.
    #[error("the API limits our requests (429); if it persists, raise `api.sync_interval`")]
    RateLimited {
        /// The wait that the API asks for, counted from its response.
        retry_after: Option<Duration>,
    },
    /// No connection, or a 5xx, on all attempts.
    #[error(
        "the API is unavailable: {problem}; if it persists, check `api.base_url` and the network"
    )]
    Unavailable {
        /// The failure, without the URL.
        problem: String,
        /// True if there was a response, a 5xx.
        answered: bool,
        /// The wait that the API asks for, counted from its response.
        retry_after: Option<Duration>,
    },
    /// No response in time, on all attempts.
    #[error("the API did not respond in time")]
    Timeout,
    /// HTML, a redirect, or JSON of another shape.
    #[error(
        "the response is not the API's: {problem}; check `api.base_url` and `api.company_domain`"
    )]
    UnexpectedResponse {
        /// The problem with the response.
        problem: &'static str,
    },
    /// A response over the size limit.
    #[error("the API's response is longer than {limit_bytes} bytes")]
    TooLong {
        /// The limit.
        limit_bytes: usize,
    },
    /// A promised page did not come, or a response ended in the middle.
    #[error("the read was cut off: {problem}; the records before it are not all")]
    Truncated {
        /// Where it ended.
        problem: &'static str,
    },
    /// All fields of the record that we need are null or hidden.
    #[error("all fields that we need are null or hidden; check the rights of {check}")]
    NullRecord {
        /// The settings that can be the cause.
        check: &'static str,
    },
    /// A field of the record that we need cannot be read.
    #[error("the record cannot be used: {problem}")]
    UnreadableRecord {
        /// The problem with the record.
        problem: EntryError,
    },
    /// An id that the provider cannot have assigned.
    #[error("the id is not one of this provider's employee ids")]
    InvalidId,
    /// A read of all employees returned none.
    #[error("the list of all employees is empty")]
    NoEmployees,
    /// The provider's own data are not complete.
    #[error("{problem}")]
    NotReady {
        /// Why, by the provider's account.
        problem: &'static str,
    },
    /// No request was sent, since these credentials were refused a short time ago.
    #[error(
        "no request is sent until {}, since the API refused our credentials; check {check}",
        until.to_rfc3339_opts(SecondsFormat::Secs, true)
    )]
    CredentialsBlocked {
        /// When the next request may be sent.
        until: DateTime<Utc>,
        /// The settings that can be the cause.
        check: &'static str,
    },
    /// No request was sent, since the host returned too many errors and could block our address.
    #[error("no request was sent, since this API returned too many errors within seconds")]
    HostThrottled,
}

impl ReadError {
    /// Returns the wait that the API asks for.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } | Self::Unavailable { retry_after, .. } => {
                *retry_after
            }
            _ => None,
        }
    }

    /// Returns true if other requests with these credentials, or to this host, would fail as well.
    #[must_use]
    pub fn concerns_all_requests(&self) -> bool {
        matches!(
            self,
            Self::Unauthorized { .. }
                | Self::RateLimited { .. }
                | Self::CredentialsBlocked { .. }
                | Self::HostThrottled
        )
    }

    /// Returns true if the API refused these credentials, now or a short time ago.
    #[must_use]
    pub fn concerns_credentials(&self) -> bool {
        matches!(
            self,
            Self::Unauthorized { .. } | Self::CredentialsBlocked { .. }
        )
    }

    /// Returns true if the API did not answer at all.
    #[must_use]
    pub fn is_without_answer(&self) -> bool {
        matches!(
            self,
            Self::Timeout
                | Self::Unavailable {
                    answered: false,
                    ..
                }
        )
    }

    /// Returns whether the same read probably fails until somebody changes the settings or the HR system.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::NotFound { .. }
            | Self::NotListedAsDeleted
            | Self::Refused { .. }
            | Self::UnexpectedResponse { .. }
            | Self::TooLong { .. }
            | Self::Truncated { .. }
            | Self::NullRecord { .. }
            | Self::UnreadableRecord { .. }
            | Self::InvalidId
            | Self::CredentialsBlocked { .. } => true,
            Self::RateLimited { .. }
            | Self::Unavailable { .. }
            | Self::Timeout
            | Self::NoEmployees
            | Self::NotReady { .. }
            | Self::HostThrottled => false,
        }
    }

    /// Returns the failure without the time of the next attempt.
    pub(crate) fn cause(&self) -> String {
        match self {
            Self::CredentialsBlocked { check, .. } => {
                format!("the API refused our credentials; check {check}")
            }
            other => other.to_string(),
        }
    }

    /// Returns the label used in the log.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        self.into()
    }
}

impl From<InvalidResponse> for ReadError {
    fn from(invalid: InvalidResponse) -> Self {
        match invalid {
            InvalidResponse::Truncated => Self::Truncated {
                problem: "the JSON ends in the middle",
            },
            InvalidResponse::NotJson => Self::UnexpectedResponse {
                problem: "it is not JSON",
            },
            InvalidResponse::WrongShape(problem) => Self::UnexpectedResponse { problem },
        }
    }
}
