//! Sends to one destination, whatever its kind.

use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};

use super::email::Mailer;
use super::slack::Slack;
use super::webhook::Webhook;
use super::{Destination, DestinationKind, SendError};
use leaver_core::events::Event;
use leaver_core::events::messages::Message;

/// A connection pool of one destination, with its secrets. Clones share both.
#[derive(Clone)]
pub(crate) struct Client(Arc<RwLock<Arc<Channel>>>);

/// How a destination is reached.
enum Channel {
    Webhook(Webhook),
    Slack(Slack),
    Email(Mailer),
}

/// One thing to send.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outgoing<'a> {
    /// An event, for a webhook.
    Event(&'a Event),
    /// A message, for people.
    Message(&'a Message),
}

impl Client {
    /// Prepares a destination. It connects when something is sent.
    ///
    /// # Errors
    /// Fails if a secret is missing, or if TLS cannot be set up.
    pub(crate) fn new(destination: &Destination) -> anyhow::Result<Self> {
        let channel = Channel::new(destination)?;
        Ok(Self(Arc::new(RwLock::new(Arc::new(channel)))))
    }

    /// Replaces the secrets and the address. What is being sent goes on with the earlier ones.
    ///
    /// # Errors
    /// Fails like [`Client::new`]; the earlier ones stay then.
    pub(crate) fn replace(&self, destination: &Destination) -> anyhow::Result<()> {
        let channel = Channel::new(destination)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(channel);
        Ok(())
    }

    /// Makes one attempt and returns the status of the response. `now` is the time of the attempt.
    ///
    /// # Errors
    /// [`SendError`] if the destination did not take it.
    pub(crate) async fn send(
        &self,
        outgoing: Outgoing<'_>,
        now: DateTime<Utc>,
    ) -> Result<u16, SendError> {
        let channel = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        match (&*channel, outgoing) {
            (Channel::Webhook(webhook), Outgoing::Event(event)) => webhook.send(event, now).await,
            (Channel::Slack(slack), Outgoing::Message(message)) => slack.send(message, now).await,
            (Channel::Email(mailer), Outgoing::Message(message)) => mailer.send(message).await,
            (Channel::Webhook(_), Outgoing::Message(_))
            | (Channel::Slack(_) | Channel::Email(_), Outgoing::Event(_)) => Err(
                SendError::Refused("a webhook takes events, Slack and e-mail take messages".into()),
            ),
        }
    }
}

impl Channel {
    fn new(destination: &Destination) -> anyhow::Result<Self> {
        Ok(match &destination.kind {
            DestinationKind::Webhook(settings) => Self::Webhook(Webhook::new(settings)?),
            DestinationKind::Slack(settings) => Self::Slack(Slack::new(settings)?),
            DestinationKind::Email(settings) => Self::Email(Mailer::new(settings)?),
        })
    }
}
