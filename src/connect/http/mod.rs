//! Sends one request: time limits, a size limit, retries with backoff, and rate limits. It interprets statuses and
//! headers; the caller parses the body.

mod failure;
mod stream;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, redirect::Policy};
use tokio::time::{Instant, sleep, timeout_at};

pub(crate) use self::failure::RequestFailure;
pub(crate) use self::failure::status_failure;
use self::failure::{connection_failure, is_retried, unexpected};
pub(crate) use self::stream::BodyStream;
use super::rate_limit::{CredentialBreaker, HostLimiter, RequestPermit};
use super::{ClientLimits, ReadError, address, retry, trace};
use crate::base::clock::Clock;
use leaver_core::providers::error_in_success;

/// The longest body read of a refusal about a webhook; a longer one is ignored.
const MAX_REFUSAL_BYTES: usize = 16 * 1024;

/// Sends the requests of all API clients of one service, so that they share connections and rate limits.
#[derive(Clone)]
pub struct Transport(Arc<Inner>);

struct Inner {
    client: Client,
    /// For addresses of this machine.
    direct_client: Client,
    limits: ClientLimits,
    clock: Arc<dyn Clock>,
    credentials: CredentialBreaker,
    hosts: HostLimiter,
}

/// One request, which can be sent several times.
pub(crate) struct ApiRequest<'c> {
    /// Its name in the log; the URL would show employee ids.
    pub(crate) name: &'static str,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: &'c [(HeaderName, HeaderValue)],
    /// Identifies the credentials in the [`CredentialBreaker`].
    pub(crate) credentials: &'c str,
    /// The settings that an error names.
    pub(crate) check: &'static str,
    pub(crate) scope: Scope,
}

/// The request method.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Method {
    /// Succeeds with 200.
    Get,
    /// Posts this JSON to read something, and succeeds with 200.
    Query(Bytes),
    /// Posts this JSON and succeeds with 201. It is not idempotent, so it is not retried if it may have succeeded.
    Post(Bytes),
    /// Succeeds with 200; the body is ignored.
    Delete,
}

/// The object of a 403 or a 404.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Everything that the credentials can reach.
    Account,
    /// One record. Others may be visible, and a missing one is a valid response.
    Record,
    /// One record that a read of many left out. A 403 shows nothing about the credentials.
    LeftOutRecord,
    /// A read of many records, which an account may or may not allow. A refusal shows nothing about other requests.
    Bulk,
    /// A webhook, like a record; the body of a refusal has the reason.
    Webhook,
}

impl Scope {
    /// Returns the longest body accepted. A parsed one takes many times as much memory, and eight records are read at a time.
    fn max_body_bytes(self) -> usize {
        match self {
            Self::Account => usize::MAX,
            Self::Record | Self::LeftOutRecord => 256 * 1024,
            Self::Webhook | Self::Bulk => 4 * 1024 * 1024,
        }
    }
}

/// The part of a response that is read before it is returned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Whole,
    Head,
}

/// A successful response.
enum Answer {
    Whole(Bytes),
    Head(Response),
}

/// The same, with the permit of a request that is still in flight.
enum Received {
    Whole(Bytes),
    Head(Response, RequestPermit),
}

impl Transport {
    /// Creates a transport with these limits. The clock decides when blocked credentials may be used again.
    ///
    /// # Errors
    /// Fails if TLS cannot be set up, for example if this machine has no trusted root certificates.
    pub fn new(limits: ClientLimits, clock: Arc<dyn Clock>) -> Result<Self, reqwest::Error> {
        // A second install in one process fails; the first stays in place.
        drop(rustls::crypto::ring::default_provider().install_default());
        let builder = || {
            Client::builder()
                .connect_timeout(limits.connect_timeout)
                // Credentials must not be sent to another address than the configured one.
                .redirect(Policy::none())
                .user_agent(concat!("leaver/", env!("CARGO_PKG_VERSION")))
        };
        let client = builder().build()?;
        let direct_client = builder().no_proxy().build()?;
        let hosts = HostLimiter::new(limits.max_host_failures, limits.host_failure_window);
        Ok(Self(Arc::new(Inner {
            client,
            direct_client,
            limits,
            clock,
            credentials: CredentialBreaker::default(),
            hosts,
        })))
    }

    /// Returns how many pages of one list are read at most.
    pub(crate) fn max_pages(&self) -> usize {
        self.0.limits.max_pages
    }

    /// Returns the time, for reads that are as of their beginning.
    pub(crate) fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.0.clock.now()
    }

    /// Sends a request and returns the body of the successful response. Retries 429, 408, 5xx, lost connections and
    /// timeouts; a [`Method::Post`] only if it cannot have succeeded. Waits as long as the API asks for.
    pub(crate) async fn send(&self, request: &ApiRequest<'_>) -> Result<Bytes, RequestFailure> {
        match self.repeat(request, Wanted::Whole).await? {
            Received::Whole(body) => Ok(body),
            Received::Head(..) => Err(unexpected("it has no body")),
        }
    }

    /// Sends a request until it succeeds, or until its failure is final.
    async fn repeat(
        &self,
        request: &ApiRequest<'_>,
        wanted: Wanted,
    ) -> Result<Received, RequestFailure> {
        let limits = &self.0.limits;
        let deadline = Instant::now() + limits.total_timeout;
        for attempt in 1.. {
            let failure = match self.attempt(request, wanted, attempt, deadline).await {
                Ok(received) => return Ok(received),
                Err(failure) => failure,
            };
            let wait = retry::backoff(limits.first_backoff, attempt, failure.error.retry_after());
            let next_attempt = Instant::now().checked_add(wait);
            let is_too_late = next_attempt.is_none_or(|at| at >= deadline);
            let is_last = attempt >= limits.max_attempts || is_too_late;
            let could_repeat =
                matches!(request.method, Method::Post(_)) && failure.may_have_succeeded();
            // What an account does not have appears after no number of attempts.
            let is_final = request.scope == Scope::Bulk && failure.status == Some(501);
            if is_last || could_repeat || is_final || !is_retried(&failure.error) {
                return Err(failure);
            }
            sleep(wait).await;
        }
        Err(RequestFailure::new(ReadError::Timeout, None))
    }

    async fn attempt(
        &self,
        request: &ApiRequest<'_>,
        wanted: Wanted,
        attempt: u32,
        deadline: Instant,
    ) -> Result<Received, RequestFailure> {
        let inner = &*self.0;
        let host = request.url.host_str().unwrap_or_default();
        let permit = inner.hosts.acquire(host, deadline).await;
        let permit = permit.ok_or(RequestFailure::not_sent(ReadError::HostThrottled))?;
        let block = inner.limits.credential_block;
        // After the wait for the permit, since another request may have been refused meanwhile.
        if let Some(until) =
            inner
                .credentials
                .blocked_until(request.credentials, inner.clock.now(), block)
        {
            let check = request.check;
            return Err(RequestFailure::not_sent(ReadError::CredentialsBlocked {
                until,
                check,
            }));
        }
        let began = Instant::now();
        let until = deadline.min(began + inner.limits.attempt_timeout);
        let result = timeout_at(until, self.send_once(request, wanted)).await;
        let result = result.unwrap_or_else(|_| Err(RequestFailure::new(ReadError::Timeout, None)));
        let status = match &result {
            Ok(_) => Some(200),
            Err(failure) => failure.status,
        };
        tracing::debug!(
            request = request.name,
            host,
            attempt,
            status,
            elapsed_ms = began.elapsed().as_millis(),
            outcome = result
                .as_ref()
                .map_or_else(|failure| failure.error.as_str(), |_| "ok"),
            "connect.attempt: finished"
        );
        let now = inner.clock.now();
        trace::record(request, attempt, status, &result, now, began.elapsed());
        match (status, request.scope) {
            // The account may not allow this way to read many. A key that ended gets 401 for other requests, too.
            (Some(401), Scope::Bulk) => {}
            (Some(401), _) | (Some(403), Scope::Account) => {
                inner.credentials.block(request.credentials, now, block);
            }
            (Some(403), Scope::Record | Scope::Webhook) => {
                inner
                    .credentials
                    .record_forbidden(request.credentials, now, block);
            }
            (Some(200), _) => inner.credentials.record_success(request.credentials),
            _ => {}
        }
        let is_missing_record = status == Some(404) && request.scope != Scope::Account;
        if status.is_some_and(|status| status >= 400 && status != 429) && !is_missing_record {
            permit.release_after_window();
            return Err(result.err().unwrap_or_else(|| unexpected("it has no body")));
        }
        match result? {
            Answer::Whole(body) => Ok(Received::Whole(body)),
            Answer::Head(response) => Ok(Received::Head(response, permit)),
        }
    }

    async fn send_once(
        &self,
        request: &ApiRequest<'_>,
        wanted: Wanted,
    ) -> Result<Answer, RequestFailure> {
        let client = if address::is_loopback(&request.url) {
            &self.0.direct_client
        } else {
            &self.0.client
        };
        let (builder, expected) = match &request.method {
            Method::Get => (client.get(request.url.clone()), StatusCode::OK),
            Method::Post(body) => (post(client, request, body), StatusCode::CREATED),
            Method::Query(body) => (post(client, request, body), StatusCode::OK),
            Method::Delete => (client.delete(request.url.clone()), StatusCode::OK),
        };
        // Without it several operations of BambooHR return XML
        // (tests/openapi/bamboohr.yaml, AcceptHeaderParameter).
        let mut builder = builder.header(ACCEPT, HeaderValue::from_static("application/json"));
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        let response = builder.send().await.map_err(|error| RequestFailure {
            not_sent: error.is_connect(),
            ..connection_failure(&error)
        })?;
        let status = response.status();
        let retry_after = retry::retry_after(response.headers(), self.0.clock.now());
        if status != expected && status != StatusCode::OK {
            let has_reason =
                matches!(status.as_u16(), 400 | 403) && request.scope == Scope::Webhook;
            let refusal = if has_reason {
                read_body(response, MAX_REFUSAL_BYTES).await.ok()
            } else {
                None
            };
            return Err(RequestFailure {
                refusal: refusal.unwrap_or_default(),
                ..status_failure(status.as_u16(), request.check, retry_after)
            });
        }
        let is_html = response.headers().get(CONTENT_TYPE).is_some_and(|value| {
            value
                .as_bytes()
                .to_ascii_lowercase()
                .starts_with(b"text/html")
        });
        if wanted == Wanted::Head {
            return if is_html {
                Err(unexpected("it is HTML or XML instead of JSON"))
            } else {
                Ok(Answer::Head(response))
            };
        }
        let limit = request
            .scope
            .max_body_bytes()
            .min(self.0.limits.max_body_bytes);
        let body = read_body(response, limit).await?;
        if is_html || body.trim_ascii_start().starts_with(b"<") {
            return Err(unexpected("it is HTML or XML instead of JSON"));
        }
        match error_in_success(&body) {
            Some(status) => Err(status_failure(status, request.check, retry_after)),
            None if status != expected => Err(unexpected("it has status 200 instead of 201")),
            None => Ok(Answer::Whole(body)),
        }
    }
}

// The content type is exact: with a character set, the report would take the body for XML (tests/openapi/bamboohr.yaml,
// operation request-custom-report).
fn post(client: &Client, request: &ApiRequest<'_>, body: &Bytes) -> RequestBuilder {
    client
        .post(request.url.clone())
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .body(body.clone())
}

async fn read_body(mut response: Response, limit_bytes: usize) -> Result<Bytes, RequestFailure> {
    let too_long = || RequestFailure::new(ReadError::TooLong { limit_bytes }, Some(200));
    let declared = response.content_length().unwrap_or(0);
    if declared > limit_bytes as u64 {
        return Err(too_long());
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| connection_failure(&error))?
    {
        if body.len() + chunk.len() > limit_bytes {
            return Err(too_long());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}
