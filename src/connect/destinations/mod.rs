//! Clients of the destinations of events: webhooks, Slack and e-mail. They send what `jobs::outbox` has claimed, and never read
//! a database.

mod client;
mod email;
mod response;
mod slack;
mod slack_errors;
mod smtp_errors;
mod smtp_lines;
mod smtp_url;
mod webhook;

use std::time::Duration;

use secrecy::SecretString;

pub(crate) use self::client::{Client, Outgoing};
pub(crate) use self::email::mailbox;
pub(crate) use self::smtp_url::SmtpUrl;
use leaver_core::events::Subscription;
use leaver_core::events::signing::SigningKey;

/// Time limit of one attempt.
pub(crate) const SEND_TIMEOUT: Duration = Duration::from_secs(15);

/// A destination of events, as configured.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Name, and the events that it wants.
    pub subscription: Subscription,
    /// How it is reached.
    pub kind: DestinationKind,
}

/// How a destination is reached. Secrets that are not in the scope of a command are missing.
#[derive(Clone, Debug)]
pub enum DestinationKind {
    /// Standard Webhooks 1.0.
    Webhook(WebhookSettings),
    /// Slack.
    Slack(SlackSettings),
    /// E-mail.
    Email(EmailSettings),
}

/// A webhook.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// Where events are posted.
    pub url: reqwest::Url,
    /// Keys that sign; each makes a signature. Empty if they are not in the scope of the command.
    pub keys: Vec<SigningKey>,
    /// True if events carry personal values.
    pub is_full: bool,
}

/// A channel of Slack.
#[derive(Clone, Debug)]
pub struct SlackSettings {
    /// A bot token with a channel, or the URL of an incoming webhook. `None` if it is not in the scope of the command.
    pub access: Option<SlackAccess>,
    /// Base URL of the API; for tests and proxies.
    pub api_url: reqwest::Url,
    /// True if messages name people.
    pub has_names: bool,
}

/// How Slack is reached.
#[derive(Clone, Debug)]
pub enum SlackAccess {
    /// `chat.postMessage`.
    Bot {
        /// The bot token.
        token: SecretString,
        /// ID of the channel.
        channel: String,
    },
    /// An incoming webhook. The URL is a secret.
    Incoming(SecretString),
}

/// A mailbox.
#[derive(Clone, Debug)]
pub struct EmailSettings {
    /// URL of the SMTP server, such as `smtps://user@mail.example.com`.
    pub url: reqwest::Url,
    /// Password of the user in the URL.
    pub password: Option<SecretString>,
    /// Sender.
    pub from: String,
    /// Recipients.
    pub to: Vec<String>,
    /// True if messages name people.
    pub has_names: bool,
}

impl Destination {
    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.subscription.destination
    }

    /// Returns whether several events make one message, for people.
    #[must_use]
    pub fn is_for_people(&self) -> bool {
        match self.kind {
            DestinationKind::Webhook(_) => false,
            DestinationKind::Slack(_) | DestinationKind::Email(_) => true,
        }
    }
}

impl DestinationKind {
    /// Returns the word for it in the configuration.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::Slack(_) => "slack",
            Self::Email(_) => "email",
        }
    }
}

/// Why an attempt failed. Texts contain no secret and no part of a response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SendError {
    /// The destination does not want events any more (410).
    #[error("status 410: the destination does not want events any more")]
    Gone,
    /// It answered with a failure.
    #[error("status {status}")]
    Status {
        /// The status.
        status: u16,
        /// When it may be tried again, if it names a time.
        retry_after: Option<Duration>,
    },
    /// There was no answer.
    #[error("{0}")]
    Unreachable(String),
    /// It answered with an error in a successful response, or refused a message.
    #[error("{0}")]
    Refused(String),
    /// No message can arrive before a person acts: a rejected password or token, a channel that does not exist.
    #[error("{0}")]
    Unusable(String),
}

impl SendError {
    /// Returns whether the destination is paused at once, since the next attempt would fail too.
    #[must_use]
    pub(crate) fn pauses_at_once(&self) -> bool {
        matches!(self, Self::Gone | Self::Unusable(_))
    }
}
