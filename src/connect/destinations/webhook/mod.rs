//! Posts events as Standard Webhooks 1.0 describes.

use std::time::Duration;

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Url};

use super::{SEND_TIMEOUT, SendError, WebhookSettings, response};
use crate::connect::client;
use crate::connect::failure::cause;
use leaver_core::events::Event;
use leaver_core::events::signing::{self, SigningKey};

/// How long a connection stays open without a request. Node.js closes its own after 5 s, and a request that meets the close
/// fails.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// A webhook that receives events.
pub(super) struct Webhook {
    http: Client,
    url: Url,
    keys: Vec<SigningKey>,
    is_full: bool,
}

impl Webhook {
    /// # Errors
    /// Fails without a key, or if TLS cannot be set up.
    pub(super) fn new(settings: &WebhookSettings) -> anyhow::Result<Self> {
        ensure!(!settings.keys.is_empty(), "this command reads no key of it");
        let builder = client::builder_for(&settings.url, SEND_TIMEOUT);
        let http = builder.pool_idle_timeout(IDLE_TIMEOUT).build();
        Ok(Self {
            http: http.context("cannot set up TLS")?,
            url: settings.url.clone(),
            keys: settings.keys.clone(),
            is_full: settings.is_full,
        })
    }

    /// Posts an event, signed with each key, and returns the status of the response.
    pub(super) async fn send(&self, event: &Event, now: DateTime<Utc>) -> Result<u16, SendError> {
        // The signed bytes are the sent bytes.
        let body = self.body(event)?;
        let headers = signing::sign(&self.keys, event.id, now, &body);
        let request = self
            .http
            .post(self.url.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(signing::ID, headers.id)
            .header(signing::TIMESTAMP, headers.timestamp)
            .header(signing::SIGNATURE, headers.signature)
            .body(body);
        let answer = request.send().await;
        let answer = answer.map_err(|error| SendError::Unreachable(cause(&error)))?;
        let (status, _) = response::read(answer, now).await?;
        Ok(status)
    }

    fn body(&self, event: &Event) -> Result<Vec<u8>, SendError> {
        let body = if self.is_full || event.details.is_none() {
            serde_json::to_vec(event)
        } else {
            serde_json::to_vec(&Event {
                details: None,
                ..event.clone()
            })
        };
        body.map_err(|error| SendError::Refused(format!("the event cannot be written: {error}")))
    }
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
