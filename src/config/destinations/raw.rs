//! One `[[destinations]]` section as written.

use serde::Deserialize;

use crate::config::values::{SecretRef, SecretRefs};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawDestination {
    pub(super) name: String,
    pub(super) kind: RawKind,
    pub(super) events: Vec<String>,
    pub(super) url: Option<String>,
    pub(super) secrets: Option<SecretRefs>,
    pub(super) payload: Option<RawPayload>,
    pub(super) token: Option<SecretRef>,
    pub(super) channel: Option<String>,
    pub(super) api_url: Option<String>,
    pub(super) password: Option<SecretRef>,
    pub(super) from: Option<String>,
    pub(super) to: Option<Vec<String>>,
    pub(super) names: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawKind {
    Webhook,
    Slack,
    Email,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawPayload {
    Thin,
    Full,
}

impl RawKind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Slack => "slack",
            Self::Email => "email",
        }
    }
}
