//! Destinations of kind `slack`.

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use super::Context;
use crate::config::SettingsError;
use crate::config::values::SecretRef;
use crate::connect::client::is_loopback;
use crate::connect::destinations::{SlackAccess, SlackSettings};

/// The API of Slack.
const API: &str = "https://slack.com/api/";

impl Context<'_> {
    pub(super) fn slack(&self) -> Result<SlackSettings, SettingsError> {
        let raw = self.raw;
        let access = match (&raw.token, &raw.url) {
            (Some(token), None) => {
                let channel = self.channel()?;
                let token = self.bot_token(token)?;
                token.map(|token| SlackAccess::Bot { token, channel })
            }
            (None, Some(_)) if raw.channel.is_some() => {
                return Err(self.invalid(
                    "channel",
                    "an incoming webhook has a channel of its own; remove it",
                ));
            }
            (None, Some(_)) if raw.api_url.is_some() => {
                return Err(self.invalid(
                    "api_url",
                    "an incoming webhook has a URL of its own; remove it",
                ));
            }
            (None, Some(url)) => self.incoming(url)?.map(SlackAccess::Incoming),
            (Some(_), Some(_)) | (None, None) => {
                return Err(self.invalid("token", "set either `token` and `channel`, or `url` with a reference to the URL of an incoming webhook"));
            }
        };
        Ok(SlackSettings {
            access,
            api_url: self.api_url()?,
            has_names: raw.names.unwrap_or(false),
        })
    }

    /// Returns the ID of the channel. A name would stop working when the channel is renamed.
    fn channel(&self) -> Result<String, SettingsError> {
        let channel = self.raw.channel.clone().unwrap_or_default();
        let is_id = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
        let is_channel = channel.starts_with(['C', 'D', 'G']) && channel.chars().all(is_id);
        if !is_channel || !(2..=64).contains(&channel.len()) {
            return Err(self.invalid(
                "channel",
                "set it to the ID of the channel, such as \"C0123456789\"; Slack shows it at the end of the channel's details",
            ));
        }
        Ok(channel)
    }

    fn bot_token(&self, reference: &SecretRef) -> Result<Option<SecretString>, SettingsError> {
        let token = self.secret("token", reference)?;
        let is_wrong = |token: &SecretString| {
            let token = token.expose_secret();
            let is_other = ["xapp-", "xoxp-", "xoxe", "https:"];
            let is_visible = |c: char| c.is_ascii_graphic();
            is_other.iter().any(|other| token.starts_with(other)) || !token.chars().all(is_visible)
        };
        if token.as_ref().is_some_and(is_wrong) {
            return Err(self.invalid(
                "token",
                "it is no bot token; take the one that begins with xoxb-, from `OAuth & Permissions` of the app",
            ));
        }
        Ok(token)
    }

    /// Returns the URL of an incoming webhook. It is a secret, so no error has it.
    fn incoming(&self, reference: &str) -> Result<Option<SecretString>, SettingsError> {
        let url = self.secret("url", &SecretRef(reference.to_owned()))?;
        let is_wrong = |url: &SecretString| match Url::parse(url.expose_secret()) {
            Ok(url) => !is_encrypted(&url) || !url.username().is_empty() || url.path() == "/",
            Err(_) => true,
        };
        if url.as_ref().is_some_and(is_wrong) {
            return Err(self.invalid(
                "url",
                "it is not the URL of an incoming webhook; it looks like https://hooks.slack.com/services/T.../B.../...",
            ));
        }
        Ok(url)
    }

    fn api_url(&self) -> Result<Url, SettingsError> {
        let problem = || {
            self.invalid(
                "api_url",
                "it is not the base URL of Slack's API; write it like https://slack-gov.com/api/",
            )
        };
        let mut text = self.raw.api_url.clone().unwrap_or_else(|| API.to_owned());
        if !text.ends_with('/') {
            text.push('/');
        }
        let url = Url::parse(&text).map_err(|_| problem())?;
        let has_more = url.query().is_some() || url.fragment().is_some();
        let has_user = !url.username().is_empty() || url.password().is_some();
        if !is_encrypted(&url) || has_more || has_user {
            return Err(problem());
        }
        Ok(url)
    }
}

/// Returns whether what is sent there is encrypted, or stays on this machine.
fn is_encrypted(url: &Url) -> bool {
    match url.scheme() {
        "https" => true,
        "http" => is_loopback(url),
        _ => false,
    }
}
