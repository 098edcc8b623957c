//! Slack: `chat.postMessage` with a bot token, or an incoming webhook.

use anyhow::Context;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::{Client, RequestBuilder, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::slack_errors::{of_api, of_status};
use super::{SEND_TIMEOUT, SendError, SlackAccess, SlackSettings, response};
use crate::connect::{client, failure};
use leaver_core::events::messages::Message;

/// Longest text that is sent, in characters. Slack recommends at most 4,000, and `&` becomes five
/// (<https://docs.slack.dev/reference/methods/chat.postMessage>, read 2026-11-27).
const LONGEST: usize = 3_500;

/// A channel of Slack.
pub(super) struct Slack {
    client: Client,
    access: SlackAccess,
    api_url: Url,
}

/// The response of a method of the API. It has status 200 also if the method failed.
#[derive(Deserialize)]
struct Answer {
    ok: bool,
    error: Option<String>,
}

impl Slack {
    /// Prepares the client.
    ///
    /// # Errors
    /// Fails if the secret is missing, or if TLS cannot be set up.
    pub(super) fn new(settings: &SlackSettings) -> anyhow::Result<Self> {
        let access = settings.access.clone();
        let access = access.context("the token of Slack was not read by this command")?;
        let url = match &access {
            SlackAccess::Bot { .. } => settings.api_url.as_str(),
            SlackAccess::Incoming(url) => url.expose_secret(),
        };
        Ok(Self {
            client: client::for_url(url, SEND_TIMEOUT)?,
            access,
            api_url: settings.api_url.clone(),
        })
    }

    /// Posts a message and returns the status of the response. `now` is the time of the attempt.
    ///
    /// # Errors
    /// [`SendError`] if Slack did not take it.
    pub(super) async fn send(
        &self,
        message: &Message,
        now: DateTime<Utc>,
    ) -> Result<u16, SendError> {
        let text = text_of(message);
        match &self.access {
            SlackAccess::Bot { token, channel } => self.post(token, channel, text, now).await,
            SlackAccess::Incoming(url) => self.post_incoming(url, text, now).await,
        }
    }

    async fn post(
        &self,
        token: &SecretString,
        channel: &str,
        text: String,
        now: DateTime<Utc>,
    ) -> Result<u16, SendError> {
        let url = self.api_url.join("chat.postMessage");
        let url = url.map_err(|_| SendError::Unusable("`api_url` has no path".to_owned()))?;
        let mut body = body_of(&text);
        if let Some(fields) = body.as_object_mut() {
            fields.insert("channel".to_owned(), channel.into());
            // Names after `@` and `#` in a text stay words.
            fields.insert("link_names".to_owned(), false.into());
            fields.insert("parse".to_owned(), "none".into());
        }
        let request = self.client.post(url).bearer_auth(token.expose_secret());
        let (status, body) = send(request, &body, now).await?;
        let answer: Option<Answer> = serde_json::from_slice(&body).ok();
        match answer {
            Some(Answer { ok: true, .. }) => Ok(status),
            Some(answer) => Err(of_api(answer.error.as_deref().unwrap_or_default())),
            None => Err(SendError::Refused(
                "the response is not one of Slack's API; check `api_url`, and proxies in between"
                    .to_owned(),
            )),
        }
    }

    async fn post_incoming(
        &self,
        url: &SecretString,
        text: String,
        now: DateTime<Utc>,
    ) -> Result<u16, SendError> {
        let request = self.client.post(url.expose_secret());
        let (status, body) = send(request, &body_of(&text), now).await?;
        if body.trim_ascii() == b"ok" {
            return Ok(status);
        }
        Err(SendError::Refused(
            "the response is not the `ok` of an incoming webhook; check the URL, and proxies in between"
                .to_owned(),
        ))
    }
}

/// Sends a request. Failures never contain the URL, which is a secret for an incoming webhook.
async fn send(
    request: RequestBuilder,
    body: &Value,
    now: DateTime<Utc>,
) -> Result<(u16, Bytes), SendError> {
    let sent = request.json(body).send().await;
    let sent = sent.map_err(|error| SendError::Unreachable(failure::cause(&error)))?;
    response::read(sent, now).await.map_err(of_status)
}

fn body_of(text: &str) -> Value {
    json!({ "text": text, "unfurl_links": false, "unfurl_media": false })
}

/// Returns the text in Slack's format: the subject in bold, then the lines, cut at the end of one if they are many.
fn text_of(message: &Message) -> String {
    let mut text = format!("*{}*", message.subject);
    let mut length = text.chars().count();
    for line in message.text.lines() {
        length += line.chars().count() + 1;
        if length > LONGEST {
            text.push_str("\n…");
            break;
        }
        text.push('\n');
        text.push_str(line);
    }
    escape(&text)
}

/// Escapes the characters with which mentions and links begin and end
/// (<https://docs.slack.dev/messaging/formatting-message-text>, read 2026-11-27).
fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;");
    text.replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(subject: &str, text: &str) -> Message {
        Message {
            subject: subject.to_owned(),
            text: text.to_owned(),
            events: vec![],
            delays_digest: false,
        }
    }

    #[test]
    fn a_mention_in_a_value_stays_text() {
        let text = text_of(&message("<!here> & <@U1>", "see <https://x|here>"));
        assert_eq!(
            text,
            "*&lt;!here&gt; &amp; &lt;@U1&gt;*\nsee &lt;https://x|here&gt;"
        );
    }

    #[test]
    fn a_long_text_ends_with_a_whole_line() {
        let lines = "employee 1234567890\n".repeat(400);
        let text = text_of(&message("many", &lines));
        assert!(text.ends_with("employee 1234567890\n…"), "{text}");
        assert!(text.chars().count() < 3_600);
    }
}
