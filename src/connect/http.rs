//! One call with patience and manners: limits on every wait and on the body, tries with backoff, and the
//! budgets. It knows statuses and headers; what an answer means is for others.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Client, Response, StatusCode, Url, redirect::Policy};
use tokio::time::{Instant, sleep, timeout_at};

use super::rate_limit::{CredentialBreaker, HostLimiter};
use super::{ClientLimits, ReadError, retry};
use crate::base::clock::Clock;
use leaver_core::providers::error_in_success;

/// A refusal about a webhook is short; of a longer one nothing is used.
const LONGEST_REFUSAL_BYTES: usize = 16 * 1024;

/// Makes the requests of all API clients of one service, which so share connections and budgets.
#[derive(Clone)]
pub struct Transport(Arc<Inner>);

struct Inner {
    client: Client,
    limits: ClientLimits,
    clock: Arc<dyn Clock>,
    tenants: CredentialBreaker,
    hosts: HostLimiter,
}

/// One call, ready to be made as often as it takes.
pub(crate) struct ApiRequest<'c> {
    /// Its name in the log; addresses have employee ids in them.
    pub(crate) name: &'static str,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: &'c [(HeaderName, HeaderValue)],
    /// Whose credentials these are, for the budget.
    pub(crate) tenant: &'c str,
    /// The settings to look at when they are refused.
    pub(crate) check: &'static str,
    pub(crate) scope: Scope,
}

/// What is to be done.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Method {
    /// Read; done with 200.
    Get,
    /// Make something, of this JSON; done with 201. It is not idempotent, so it is not tried again where it
    /// may have been done.
    Post(Bytes),
    /// Remove something; done with 200 and a text that means nothing.
    Delete,
}

/// What a 403 or a 404 is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All that the credentials can reach.
    Tenant,
    /// One record: another may be visible, and one that is gone is an answer, not a failure.
    Record,
    /// A webhook: the same, and a refusal says why in its body.
    Webhook,
}

/// A try that did not give a body.
pub(crate) struct RequestFailure {
    pub(crate) error: ReadError,
    /// The status that the answer had, or really meant.
    status: Option<u16>,
    /// Whether it certainly did not reach the API.
    not_sent: bool,
    /// What a refusal about a webhook said.
    pub(crate) refusal: Bytes,
}

impl RequestFailure {
    fn new(error: ReadError, status: Option<u16>) -> Self {
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

    /// Whether what was asked for may have been done all the same: it was sent, and no refusal came back.
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

impl Transport {
    /// With these limits; the clock tells when a tenant may be asked again.
    ///
    /// # Errors
    /// When TLS cannot be set up, for example for want of trusted roots on this machine.
    pub fn new(limits: ClientLimits, clock: Arc<dyn Clock>) -> Result<Self, reqwest::Error> {
        // A second install in one process fails, and then the first one serves.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = Client::builder()
            .connect_timeout(limits.connect_timeout)
            // Credentials are for the configured address and go nowhere else.
            .redirect(Policy::none())
            .user_agent(concat!("leaver/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let hosts = HostLimiter::new(limits.max_host_failures, limits.host_failure_window);
        Ok(Self(Arc::new(Inner {
            client,
            limits,
            clock,
            tenants: CredentialBreaker::default(),
            hosts,
        })))
    }

    /// The time, for a read that is as of its beginning.
    pub(crate) fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.0.clock.now()
    }

    /// The body of a good answer. 429, 408, 5xx, a lost connection and a time-out are tried again, each
    /// wait at least as long as the API asks for; of these a [`Method::Post`] only where it was not done.
    pub(crate) async fn make(&self, call: &ApiRequest<'_>) -> Result<Bytes, RequestFailure> {
        let limits = &self.0.limits;
        let deadline = Instant::now() + limits.total_timeout;
        for attempt in 1.. {
            let failure = match self.attempt(call, attempt, deadline).await {
                Ok(body) => return Ok(body),
                Err(failure) => failure,
            };
            let wait = retry::pause(limits.first_backoff, attempt, failure.error.retry_after());
            let wakes = Instant::now().checked_add(wait);
            let too_late = wakes.is_none_or(|at| at >= deadline);
            let is_last = attempt >= limits.max_attempts || too_late;
            let risky = matches!(call.method, Method::Post(_)) && failure.may_have_succeeded();
            if is_last || risky || !is_tried_again(&failure.error) {
                return Err(failure);
            }
            sleep(wait).await;
        }
        Err(RequestFailure::new(ReadError::Timeout, None))
    }

    async fn attempt(
        &self,
        call: &ApiRequest<'_>,
        attempt: u32,
        deadline: Instant,
    ) -> Result<Bytes, RequestFailure> {
        let inner = &*self.0;
        let host = call.url.host_str().unwrap_or_default();
        let admission = inner.hosts.admit(host, deadline).await;
        let admission = admission.ok_or(RequestFailure::not_sent(ReadError::HostThrottled))?;
        // After the wait for admission, since another call may have been refused meanwhile.
        if let Some(until) = inner.tenants.blocked_until(
            call.tenant,
            inner.clock.now(),
            inner.limits.credential_block,
        ) {
            let check = call.check;
            return Err(RequestFailure::not_sent(ReadError::CredentialsBlocked {
                until,
                check,
            }));
        }
        let began = Instant::now();
        let until = deadline.min(began + inner.limits.attempt_timeout);
        let answer = timeout_at(until, self.ask(call)).await;
        let answer = answer.unwrap_or_else(|_| Err(RequestFailure::new(ReadError::Timeout, None)));
        let status = match &answer {
            Ok(_) => Some(200),
            Err(failure) => failure.status,
        };
        tracing::debug!(
            call = call.name,
            host,
            attempt,
            status,
            elapsed_ms = began.elapsed().as_millis(),
            outcome = answer
                .as_ref()
                .map_or_else(|failure| failure.error.as_str(), |_| "read"),
            "asked an API"
        );
        let now = inner.clock.now();
        match (status, call.scope) {
            (Some(401), _) | (Some(403), Scope::Tenant) => {
                inner
                    .tenants
                    .refused(call.tenant, now, inner.limits.credential_block);
            }
            (Some(403), Scope::Record | Scope::Webhook) => {
                inner
                    .tenants
                    .forbidden_record(call.tenant, now, inner.limits.credential_block);
            }
            (Some(200), _) => inner.tenants.trust(call.tenant),
            _ => {}
        }
        let is_answer = status == Some(404) && call.scope != Scope::Tenant;
        if status.is_some_and(|status| status >= 400 && status != 429) && !is_answer {
            admission.failed();
        }
        answer
    }

    async fn ask(&self, call: &ApiRequest<'_>) -> Result<Bytes, RequestFailure> {
        let client = &self.0.client;
        let mut request = match &call.method {
            Method::Get => client.get(call.url.clone()),
            Method::Post(body) => client
                .post(call.url.clone())
                .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
                .body(body.clone()),
            Method::Delete => client.delete(call.url.clone()),
        };
        let wanted = match &call.method {
            Method::Post(_) => StatusCode::CREATED,
            Method::Get | Method::Delete => StatusCode::OK,
        };
        // Without it several of BambooHR's calls answer XML (its OpenAPI file).
        request = request.header(ACCEPT, HeaderValue::from_static("application/json"));
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        let response = request.send().await.map_err(|error| RequestFailure {
            not_sent: error.is_connect(),
            ..lost(&error)
        })?;
        let status = response.status();
        let asked = retry::retry_after(response.headers(), self.0.clock.now());
        if status != wanted && status != StatusCode::OK {
            let refuses = matches!(status.as_u16(), 400 | 403) && call.scope == Scope::Webhook;
            let refusal = if refuses {
                body_of(response, LONGEST_REFUSAL_BYTES).await.ok()
            } else {
                None
            };
            return Err(RequestFailure {
                refusal: refusal.unwrap_or_default(),
                ..failure(status.as_u16(), call.check, asked)
            });
        }
        let is_page = response.headers().get(CONTENT_TYPE).is_some_and(|value| {
            value
                .as_bytes()
                .to_ascii_lowercase()
                .starts_with(b"text/html")
        });
        let body = body_of(response, self.0.limits.max_body_bytes).await?;
        if is_page || body.trim_ascii_start().starts_with(b"<") {
            let problem = "it sent a page (HTML or XML) instead of JSON";
            return Err(RequestFailure::new(
                ReadError::UnexpectedResponse { problem },
                Some(200),
            ));
        }
        match error_in_success(&body) {
            Some(status) => Err(failure(status, call.check, asked)),
            None if status != wanted => {
                let problem = "it answers 200 where 201 was due";
                Err(RequestFailure::new(
                    ReadError::UnexpectedResponse { problem },
                    Some(200),
                ))
            }
            None => Ok(body),
        }
    }
}

fn is_tried_again(error: &ReadError) -> bool {
    matches!(
        error,
        ReadError::RateLimited { .. } | ReadError::Unavailable { .. } | ReadError::Timeout
    )
}

/// What a status that is not 200 means.
fn failure(status: u16, check: &'static str, retry_after: Option<Duration>) -> RequestFailure {
    let error = match status {
        401 => ReadError::Unauthorized { check },
        403 => ReadError::Forbidden { check },
        404 => ReadError::NotFound { check },
        408 => ReadError::Timeout,
        429 => ReadError::RateLimited { retry_after },
        500.. => unavailable(format!("it answers {status}"), retry_after),
        400.. => ReadError::Refused { status },
        300.. => ReadError::UnexpectedResponse {
            problem: "it sends us to another address",
        },
        _ => ReadError::UnexpectedResponse {
            problem: "it answers without a body",
        },
    };
    RequestFailure::new(error, Some(status))
}

async fn body_of(mut response: Response, limit_bytes: usize) -> Result<Bytes, RequestFailure> {
    let too_long = || RequestFailure::new(ReadError::TooLong { limit_bytes }, Some(200));
    let announced = response.content_length().unwrap_or(0);
    if announced > limit_bytes as u64 {
        return Err(too_long());
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| lost(&error))? {
        if body.len() + chunk.len() > limit_bytes {
            return Err(too_long());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn lost(error: &reqwest::Error) -> RequestFailure {
    let error = if error.is_timeout() {
        ReadError::Timeout
    } else {
        unavailable(problem(error), None)
    };
    RequestFailure::new(error, None)
}

fn unavailable(problem: String, retry_after: Option<Duration>) -> ReadError {
    ReadError::Unavailable {
        problem,
        retry_after,
    }
}

/// The causes below reqwest's own text, which has the address in it.
fn problem(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&error.to_string());
        cause = error.source();
    }
    if text.is_empty() {
        text.push_str("the connection was lost");
    }
    text.chars().take(200).collect()
}
