//! Sections `[[destinations]]`: who receives events.

mod email;
mod raw;
mod slack;

use std::collections::BTreeSet;

use reqwest::Url;
use secrecy::SecretString;

pub(super) use self::raw::RawDestination;
use self::raw::{RawKind, RawPayload};
use super::secrets::SecretReader;
use super::values::SecretRef;
use super::{Provenance, SettingsError};
use crate::connect::client::is_loopback;
use crate::connect::destinations::{Destination, DestinationKind, WebhookSettings};
use leaver_core::events::{EventType, Subscription};

/// Checks all destinations.
pub(super) fn build(
    raw: &[RawDestination],
    secrets: &SecretReader<'_>,
    provenance: &Provenance,
) -> Result<Vec<Destination>, SettingsError> {
    let mut names = BTreeSet::new();
    let mut destinations = vec![];
    for (position, raw) in raw.iter().enumerate() {
        let context = Context {
            path: format!("destinations[{position}] ({})", raw.name),
            raw,
            secrets,
            provenance,
        };
        let destination = context.build()?;
        if !names.insert(raw.name.as_str()) {
            let problem = format!(
                "`{}` is used twice; each destination needs a name of its own",
                raw.name
            );
            return Err(
                provenance.invalid_setting(&format!("destinations[{position}].name"), problem)
            );
        }
        destinations.push(destination);
    }
    Ok(destinations)
}

struct Context<'a> {
    /// Start of the key in error messages.
    path: String,
    raw: &'a RawDestination,
    secrets: &'a SecretReader<'a>,
    provenance: &'a Provenance,
}

impl Context<'_> {
    fn build(&self) -> Result<Destination, SettingsError> {
        self.check_name()?;
        self.refuse_without_effect()?;
        let kind = match self.raw.kind {
            RawKind::Webhook => DestinationKind::Webhook(self.webhook()?),
            RawKind::Slack => DestinationKind::Slack(self.slack()?),
            RawKind::Email => DestinationKind::Email(self.email()?),
        };
        let wants_details = match &kind {
            DestinationKind::Webhook(webhook) => webhook.is_full,
            DestinationKind::Slack(slack) => slack.has_names,
            DestinationKind::Email(email) => email.has_names,
        };
        Ok(Destination {
            subscription: Subscription {
                destination: self.raw.name.clone(),
                types: self.types()?,
                wants_details,
            },
            kind,
        })
    }

    fn invalid(&self, key: &str, problem: impl Into<String>) -> SettingsError {
        let key = format!("{}.{key}", self.path);
        self.provenance.invalid_setting(&key, problem.into())
    }

    fn check_name(&self) -> Result<(), SettingsError> {
        let is_name =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        let name = &self.raw.name;
        if name.is_empty() || name.len() > 64 || !name.chars().all(is_name) {
            return Err(self.invalid("name", "use 1 to 64 of a-z, 0-9, - and _"));
        }
        Ok(())
    }

    /// Fails if a key is set that has no effect for this kind.
    fn refuse_without_effect(&self) -> Result<(), SettingsError> {
        let raw = self.raw;
        let keys: [(&str, bool, &[RawKind]); 9] = [
            ("secrets", raw.secrets.is_some(), &[RawKind::Webhook]),
            ("payload", raw.payload.is_some(), &[RawKind::Webhook]),
            ("token", raw.token.is_some(), &[RawKind::Slack]),
            ("channel", raw.channel.is_some(), &[RawKind::Slack]),
            ("api_url", raw.api_url.is_some(), &[RawKind::Slack]),
            ("password", raw.password.is_some(), &[RawKind::Email]),
            ("from", raw.from.is_some(), &[RawKind::Email]),
            ("to", raw.to.is_some(), &[RawKind::Email]),
            (
                "names",
                raw.names.is_some(),
                &[RawKind::Slack, RawKind::Email],
            ),
        ];
        for (key, is_set, kinds) in keys {
            if is_set && !kinds.contains(&raw.kind) {
                let kinds: Vec<String> = kinds
                    .iter()
                    .map(|kind| format!("kind = \"{}\"", kind.as_str()))
                    .collect();
                let problem = format!(
                    "it has an effect only with {}; remove it",
                    kinds.join(" or ")
                );
                return Err(self.invalid(key, problem));
            }
        }
        Ok(())
    }

    fn types(&self) -> Result<BTreeSet<EventType>, SettingsError> {
        let mut types = BTreeSet::new();
        for pattern in &self.raw.events {
            let found = EventType::matching(pattern);
            types.extend(found.map_err(|error| self.invalid("events", error.to_string()))?);
        }
        if types.is_empty() {
            let problem = "at least one type is needed, such as [\"account.*\", \"hold.opened\"]";
            return Err(self.invalid("events", problem));
        }
        Ok(types)
    }

    fn url(&self, schemes: &[&str], example: &str) -> Result<Url, SettingsError> {
        let problem = || {
            self.invalid(
                "url",
                format!(
                    "it is not a URL with {}; write it like {example}",
                    schemes.join(" or ")
                ),
            )
        };
        let text = self.raw.url.as_deref().unwrap_or_default();
        let url = Url::parse(text).map_err(|_| problem())?;
        if !schemes.contains(&url.scheme()) || url.host_str().is_none_or(str::is_empty) {
            return Err(problem());
        }
        if url.password().is_some() {
            return Err(self.invalid(
                "url",
                "it contains a password; write a reference to it in `password`, or leave it out",
            ));
        }
        Ok(url)
    }

    fn secret(
        &self,
        key: &str,
        reference: &SecretRef,
    ) -> Result<Option<SecretString>, SettingsError> {
        let setting = format!("{}.{key}", self.path);
        self.secrets.messages(&self.raw.name, &setting, reference)
    }

    fn webhook_url(&self) -> Result<Url, SettingsError> {
        let url = self.url(&["https", "http"], "https://bus.example.com/leaver")?;
        if url.scheme() == "http" && !is_loopback(&url) {
            return Err(self.invalid(
                "url",
                "it does not begin with https://; events leave this machine, so use TLS",
            ));
        }
        if !url.username().is_empty() || url.fragment().is_some() {
            return Err(self.invalid(
                "url",
                "it has a user or a `#`; remove it: the signature shows who sends",
            ));
        }
        Ok(url)
    }

    fn webhook(&self) -> Result<WebhookSettings, SettingsError> {
        let url = self.webhook_url()?;
        let references = self.raw.secrets.clone().unwrap_or_default().0;
        if references.is_empty() {
            return Err(self.invalid(
                "secrets",
                "at least one is needed, such as [\"env:BUS_WHSEC\"]",
            ));
        }
        let mut keys = vec![];
        for (n, reference) in references.iter().enumerate() {
            let setting = format!("{}.secrets[{n}]", self.path);
            let key = self
                .secrets
                .signing_key(&self.raw.name, &setting, reference);
            keys.extend(key?);
        }
        Ok(WebhookSettings {
            url,
            keys,
            is_full: self.raw.payload == Some(RawPayload::Full),
        })
    }
}
