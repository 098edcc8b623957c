//! Sends one delivery of the demo over HTTP.

use std::time::{Duration, Instant};

use anyhow::Context;

use super::story::{Sender, Step};
use crate::base::clock::{Clock, SystemClock};
use crate::config::Settings;
use crate::connect::client;
use crate::service::Service;
use leaver_core::signature::Scheme;

/// The response to a delivery.
pub(super) struct Response {
    pub(super) status: u16,
    body: String,
    pub(super) is_duplicate: bool,
    pub(super) sent_at: Instant,
    elapsed: Duration,
}

/// Returns a duration such as `3.0 ms`.
pub(super) fn milliseconds(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1_000.0)
}

impl Response {
    /// Returns the status, its meaning and the response time, on two lines.
    pub(super) fn display(&self) -> String {
        let elapsed = milliseconds(self.elapsed);
        let result = match (self.status, self.is_duplicate) {
            (200, false) => "200 stored".to_owned(),
            (200, true) => "200 duplicate, ignored".to_owned(),
            (status, _) => {
                let error = serde_json::from_str::<serde_json::Value>(&self.body)
                    .ok()
                    .and_then(|body| {
                        body.get("error")
                            .and_then(|error| error.as_str().map(str::to_owned))
                    });
                format!("{status} {}", error.unwrap_or_default())
            }
        };
        format!("{result}, {elapsed}")
    }
}

/// Signs and posts one delivery.
pub(super) async fn deliver(
    settings: &Settings,
    service: &Service,
    step: &Step,
) -> anyhow::Result<Response> {
    let name = step.sender.source();
    let source = settings
        .sources
        .iter()
        .find(|source| source.name.as_str() == name)
        .with_context(|| format!("the demo has no source {name}"))?;
    let scheme: &Scheme = &source.scheme;
    let url = format!("http://{}/webhooks/{name}", service.address());
    let mut request = client::for_url(&url, Duration::from_secs(15))?
        .post(&url)
        .header(reqwest::header::CONTENT_TYPE, step.content_type);
    // A forged delivery has a signature over other bytes.
    let signed_body = if step.sender == Sender::Attacker {
        b"{}".as_slice()
    } else {
        step.body.as_bytes()
    };
    for (header, value) in scheme.sign(signed_body, SystemClock.now()) {
        request = request.header(header, value);
    }
    let sent_at = Instant::now();
    let response = request.body(step.body.clone()).send().await?;
    let status = response.status().as_u16();
    let body = response.text().await?;
    Ok(Response {
        status,
        is_duplicate: body.contains("\"duplicate\":true"),
        body,
        sent_at,
        elapsed: sent_at.elapsed(),
    })
}
