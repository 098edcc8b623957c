//! One GET with patience and manners: limits on every wait and on the body, tries with backoff, and the
//! budgets. It knows statuses and headers; what an answer means is for others.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Client, Response, StatusCode, Url, redirect::Policy};
use tokio::time::{Instant, sleep, timeout_at};

use super::budget::{Hosts, Tenants};
use super::{Limits, ReadError, retry};
use crate::clock::Clock;
use crate::payload::error_in_success;

/// Makes the requests of all API clients of one service, which so share connections and budgets.
#[derive(Clone)]
pub struct Transport(Arc<Inner>);

struct Inner {
    client: Client,
    limits: Limits,
    clock: Arc<dyn Clock>,
    tenants: Tenants,
    hosts: Hosts,
}

/// One call, ready to be made as often as it takes.
pub(super) struct Call<'c> {
    /// Its name in the log; addresses have employee ids in them.
    pub(super) name: &'static str,
    pub(super) url: Url,
    pub(super) headers: &'c [(HeaderName, HeaderValue)],
    /// Whose credentials these are, for the budget.
    pub(super) tenant: &'c str,
    /// The settings to look at when they are refused.
    pub(super) check: &'static str,
    pub(super) concerns: Concerns,
}

/// What a 403 or a 404 is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Concerns {
    /// All that the credentials can reach.
    Tenant,
    /// One record: another may be visible, and one that is gone is an answer, not a failure.
    Record,
}

/// A try that did not give a body.
struct Failure {
    error: ReadError,
    /// The status that the answer had, or really meant.
    status: Option<u16>,
}

impl Transport {
    /// With these limits; the clock tells when a tenant may be asked again.
    ///
    /// # Errors
    /// When TLS cannot be set up, for example for want of trusted roots on this machine.
    pub fn new(limits: Limits, clock: Arc<dyn Clock>) -> Result<Self, reqwest::Error> {
        // A second install in one process fails, and then the first one serves.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = Client::builder()
            .connect_timeout(limits.connect)
            // Credentials are for the configured address and go nowhere else.
            .redirect(Policy::none())
            .user_agent(concat!("leaver/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let hosts = Hosts::new(limits.failures, limits.failure_window);
        Ok(Self(Arc::new(Inner {
            client,
            limits,
            clock,
            tenants: Tenants::default(),
            hosts,
        })))
    }

    /// The time, for a read that is as of its beginning.
    pub(super) fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.0.clock.now()
    }

    /// The body of a good answer. 429, 408, 5xx, a lost connection and a time-out are tried again, each
    /// wait at least as long as the API asks for.
    pub(super) async fn get(&self, call: &Call<'_>) -> Result<Bytes, ReadError> {
        let limits = &self.0.limits;
        let deadline = Instant::now() + limits.total;
        for attempt in 1.. {
            let error = match self.attempt(call, attempt, deadline).await {
                Ok(body) => return Ok(body),
                Err(error) => error,
            };
            let wait = retry::pause(limits.backoff, attempt, error.retry_after());
            let wakes = Instant::now().checked_add(wait);
            let too_late = wakes.is_none_or(|at| at >= deadline);
            let is_last = attempt >= limits.attempts || too_late;
            if is_last || !is_tried_again(&error) {
                return Err(error);
            }
            sleep(wait).await;
        }
        Err(ReadError::Timeout)
    }

    async fn attempt(
        &self,
        call: &Call<'_>,
        attempt: u32,
        deadline: Instant,
    ) -> Result<Bytes, ReadError> {
        let inner = &*self.0;
        let host = call.url.host_str().unwrap_or_default();
        let admission = inner.hosts.admit(host, deadline).await;
        let admission = admission.ok_or(ReadError::HostResting)?;
        // After the wait for admission, since another call may have been refused meanwhile.
        if let Some(until) = inner.tenants.resting_until(call.tenant, inner.clock.now()) {
            let check = call.check;
            return Err(ReadError::CoolingDown { until, check });
        }
        let began = Instant::now();
        let until = deadline.min(began + inner.limits.attempt);
        let answer = timeout_at(until, self.ask(call)).await;
        let answer = answer.unwrap_or(Err(Failure {
            error: ReadError::Timeout,
            status: None,
        }));
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
        match (status, call.concerns) {
            (Some(401), _) | (Some(403), Concerns::Tenant) => {
                inner
                    .tenants
                    .refused(call.tenant, now, inner.limits.cool_down);
            }
            (Some(403), Concerns::Record) => {
                inner
                    .tenants
                    .forbidden_record(call.tenant, now, inner.limits.cool_down);
            }
            (Some(200), _) => inner.tenants.trust(call.tenant),
            _ => {}
        }
        let is_answer = status == Some(404) && call.concerns == Concerns::Record;
        if status.is_some_and(|status| status >= 400 && status != 429) && !is_answer {
            admission.failed();
        }
        answer.map_err(|failure| failure.error)
    }

    async fn ask(&self, call: &Call<'_>) -> Result<Bytes, Failure> {
        let mut request = self.0.client.get(call.url.clone());
        // Without it several of BambooHR's calls answer XML (its OpenAPI file).
        request = request.header(ACCEPT, HeaderValue::from_static("application/json"));
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        let response = request.send().await.map_err(|error| lost(&error))?;
        let status = response.status();
        let asked = retry::retry_after(response.headers(), self.0.clock.now());
        if status != StatusCode::OK {
            return Err(failure(status.as_u16(), call.check, asked));
        }
        let is_page = response.headers().get(CONTENT_TYPE).is_some_and(|value| {
            value
                .as_bytes()
                .to_ascii_lowercase()
                .starts_with(b"text/html")
        });
        let body = body_of(response, self.0.limits.body_bytes).await?;
        if is_page || body.trim_ascii_start().starts_with(b"<") {
            let trouble = "it sent a page (HTML or XML) instead of JSON";
            return Err(Failure {
                error: ReadError::NotTheApi { trouble },
                status: Some(200),
            });
        }
        match error_in_success(&body) {
            Some(status) => Err(failure(status, call.check, asked)),
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
fn failure(status: u16, check: &'static str, retry_after: Option<Duration>) -> Failure {
    let error = match status {
        401 => ReadError::Unauthorized { check },
        403 => ReadError::Forbidden { check },
        404 => ReadError::NotFound { check },
        408 => ReadError::Timeout,
        429 => ReadError::RateLimited { retry_after },
        500.. => unavailable(format!("it answers {status}"), retry_after),
        400.. => ReadError::Refused { status },
        300.. => ReadError::NotTheApi {
            trouble: "it sends us to another address",
        },
        _ => ReadError::NotTheApi {
            trouble: "it answers without a body",
        },
    };
    Failure {
        error,
        status: Some(status),
    }
}

async fn body_of(mut response: Response, limit_bytes: usize) -> Result<Bytes, Failure> {
    let too_long = || Failure {
        error: ReadError::TooLong { limit_bytes },
        status: Some(200),
    };
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

fn lost(error: &reqwest::Error) -> Failure {
    let error = if error.is_timeout() {
        ReadError::Timeout
    } else {
        unavailable(trouble(error), None)
    };
    Failure {
        error,
        status: None,
    }
}

fn unavailable(trouble: String, retry_after: Option<Duration>) -> ReadError {
    ReadError::Unavailable {
        trouble,
        retry_after,
    }
}

/// The causes below reqwest's own text, which has the address in it.
fn trouble(error: &reqwest::Error) -> String {
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
