//! Posts a delivery for `leaver send`, and waits until it is processed.

use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use http::{HeaderName, HeaderValue};
use reqwest::StatusCode;

use super::output;
use crate::config::Settings;
use crate::connect::client;
use crate::reports::deliveries::{self, DeliverySummary};
use crate::service;

/// How long `--wait` waits for the service, and again for the outcome.
const WAIT: Duration = Duration::from_secs(30);
/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(100);
/// Time limit of one request.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Newest deliveries among which ours is.
const NEWEST: i64 = 1_000;

/// A signed delivery.
pub(super) struct Request<'a> {
    pub(super) url: &'a str,
    pub(super) content_type: &'a str,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Vec<u8>,
}

impl Request<'_> {
    /// Posts it and returns status and text of the response. With `waits`, a service that does not listen or is not ready gets
    /// it again.
    pub(super) async fn post(&self, waits: bool) -> anyhow::Result<(StatusCode, String)> {
        let client = client::for_url(self.url, TIMEOUT)?;
        let deadline = Instant::now() + WAIT;
        loop {
            let mut request = client
                .post(self.url)
                .header(reqwest::header::CONTENT_TYPE, self.content_type);
            for (name, value) in &self.headers {
                request = request.header(name, value);
            }
            let may_repeat = waits && Instant::now() < deadline;
            match request.body(self.body.clone()).send().await {
                Err(error) if may_repeat && error.is_connect() => {}
                Ok(response)
                    if may_repeat && response.status() == StatusCode::SERVICE_UNAVAILABLE => {}
                Ok(response) => {
                    let status = response.status();
                    return Ok((status, response.text().await.unwrap_or_default()));
                }
                Err(error) => {
                    let error = output::request_error(error);
                    return Err(anyhow!(
                        "no response from {}: {error}; start `leaver serve`, or name its address with --to",
                        self.url
                    ));
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Returns the delivery of a response once it is no longer pending, or as it is after [`WAIT`].
pub(super) async fn outcome(
    settings: &Settings,
    source: &str,
    response: &str,
) -> anyhow::Result<DeliverySummary> {
    let body: serde_json::Value = serde_json::from_str(response)
        .context("the response names no delivery, so its outcome is unknown")?;
    let id = body.get("delivery").and_then(serde_json::Value::as_str);
    let id = id.context("the response names no delivery, so its outcome is unknown")?;
    let mut conn = service::connect(&service::connect_options(&settings.database)?).await?;
    let deadline = Instant::now() + WAIT;
    loop {
        let list = deliveries::store::list(&mut conn, None, Some(source), NEWEST).await?;
        let found = list.into_iter().find(|one| one.id.to_string() == id);
        match found {
            None => bail!(
                "delivery {id} is not in this database; check that `database.url` is that of the service"
            ),
            Some(found) if found.state != "pending" || Instant::now() >= deadline => {
                return Ok(found);
            }
            Some(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Returns whether a delivery was processed or ignored.
pub(super) fn is_settled(delivery: &DeliverySummary) -> bool {
    ["processed", "ignored"].contains(&delivery.state.as_str())
}

/// Returns state and outcome as one line.
pub(super) fn describe(delivery: &DeliverySummary) -> String {
    let counts = delivery
        .outcome
        .as_ref()
        .and_then(serde_json::Value::as_object);
    let counts = counts.filter(|counts| !counts.is_empty()).map(|counts| {
        let counts = counts
            .iter()
            .map(|(outcome, count)| (outcome.as_str(), count));
        output::outcomes(counts)
    });
    let reason = delivery.reason.as_ref().map(output::text);
    let details: Vec<String> = counts.into_iter().chain(reason).collect();
    if details.is_empty() {
        return delivery.state.clone();
    }
    format!("{}: {}", delivery.state, details.join("; "))
}
