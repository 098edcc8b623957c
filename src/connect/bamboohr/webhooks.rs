//! BambooHR's own webhooks, over its API: list, look at, make and delete them. They belong to the user who made
//! the key, and nobody else's are shown.

use bytes::Bytes;
use serde_json::{Map, json};

use crate::connect::http::{Method, RequestFailure, Scope};
use crate::connect::{BambooHrApi, ReadError};
use leaver_core::providers::{
    BAMBOOHR_FIELDS, Hook, HookConfig, LogEntry, MonitorField, NewHook, bamboohr_hook,
    bamboohr_hooks, bamboohr_log, bamboohr_monitor_fields, bamboohr_new_hook,
    bamboohr_refused_fields,
};

/// The fields whose change should fire a webhook. `terminationDate` is not among them: BambooHR answers an
/// attempt to monitor it with an error, though it can be posted.
pub const MONITORED_FIELDS: [&str; 4] =
    ["status", "employmentHistoryStatus", "workEmail", "hireDate"];

/// What a webhook posts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookKind {
    /// Who changed, and not what; BambooHR recommends it.
    Event,
    /// Values too.
    Field,
}

/// A webhook that is to be made.
#[derive(Clone, Debug)]
pub struct WebhookRequest {
    /// Its name in BambooHR.
    pub name: String,
    /// Where it posts to, with https.
    pub url: String,
    /// What it posts.
    pub kind: WebhookKind,
    /// Those of [`MONITORED_FIELDS`] that the key's user may monitor.
    pub fields: Vec<&'static str>,
}

/// Why something about webhooks did not succeed. No text here holds a key, or a piece of an answer but the
/// names of fields.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// As any read can fail.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Fields that the user may not use.
    #[error(
        "BambooHR refuses these fields ({0}): let the BambooHR user who made api.api_key see them, \
         or take a key of a user who may"
    )]
    Fields(String),
    /// HTTP 400 that names no field.
    #[error(
        "BambooHR does not take this webhook (400): try another --name, and a --url that can be reached \
         from the internet"
    )]
    Malformed,
    /// HTTP 403 that names no field, on making one.
    #[error(
        "BambooHR does not let the user who made api.api_key make webhooks (403): give that user's access \
         level the right to, or take another user's key"
    )]
    CreationForbidden,
    /// HTTP 403 on somebody else's.
    #[error(
        "webhook {0} belongs to another BambooHR user (403): only with a key of that user's can it be \
         looked at or deleted"
    )]
    OtherOwner(String),
    /// HTTP 404.
    #[error(
        "BambooHR has no webhook {0} (404): `leaver webhooks list` shows those of the key's user"
    )]
    NoSuchWebhook(String),
    /// HTTP 429, or the same inside an HTTP 200, of a log.
    #[error("BambooHR throttles the reading of delivery logs (429): try again in a minute")]
    Throttled,
    /// An id that BambooHR cannot have given.
    #[error("`{0}` is no id of a webhook: it is digits, as `leaver webhooks list` shows them")]
    InvalidId(String),
    /// The answer to making one was lost, and with it the key.
    #[error(
        "the answer was lost or could not be read ({cause}), so the webhook may have been made: look at \
         `leaver webhooks list`, delete it if it is there, since nobody has its key, and create it anew"
    )]
    MayExist {
        /// What happened.
        cause: ReadError,
    },
}

impl BambooHrApi {
    /// The webhooks of the key's user.
    ///
    /// # Errors
    /// [`WebhookError::Read`].
    pub async fn webhooks(&self) -> Result<Vec<Hook>, WebhookError> {
        let made = self.ask(Method::Get, "webhooks", &["webhooks"]);
        let body = made.await.map_err(ReadError::from)?;
        Ok(bamboohr_hooks(&body).map_err(ReadError::from)?)
    }

    /// One of them with its configuration.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn webhook(&self, id: &str) -> Result<HookConfig, WebhookError> {
        let body = self.one(Method::Get, "webhooks/{id}", id, &[]).await?;
        Ok(bamboohr_hook(&body).map_err(ReadError::from)?)
    }

    /// Its log: what BambooHR sent in the last 14 days, at most 200 deliveries.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn webhook_log(&self, id: &str) -> Result<Vec<LogEntry>, WebhookError> {
        let made = self.one(Method::Get, "webhooks/{id}/log", id, &["log"]);
        let body = made.await.map_err(|error| match error {
            WebhookError::Read(ReadError::RateLimited { .. }) => WebhookError::Throttled,
            error => error,
        })?;
        Ok(bamboohr_log(&body).map_err(ReadError::from)?)
    }

    /// The fields whose change can fire a webhook of the key's user.
    ///
    /// # Errors
    /// [`WebhookError::Read`].
    pub async fn monitor_fields(&self) -> Result<Vec<MonitorField>, WebhookError> {
        let segments = ["webhooks", "monitor_fields"];
        let made = self.ask(Method::Get, "webhooks/monitor_fields", &segments);
        let body = made.await.map_err(ReadError::from)?;
        Ok(bamboohr_monitor_fields(&body).map_err(ReadError::from)?)
    }

    /// Makes one. The key with which it signs comes with this one answer.
    ///
    /// # Errors
    /// [`WebhookError`]; [`WebhookError::MayExist`] when nobody can say whether it exists now.
    pub async fn create_webhook(&self, wanted: &WebhookRequest) -> Result<NewHook, WebhookError> {
        let body = Bytes::from(wanted.body());
        let made = self.ask(Method::Post(body), "webhooks", &["webhooks"]);
        let answer = made.await.map_err(not_made)?;
        bamboohr_new_hook(&answer).map_err(|bad| WebhookError::MayExist { cause: bad.into() })
    }

    /// Deletes one for good.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn delete_webhook(&self, id: &str) -> Result<(), WebhookError> {
        self.one(Method::Delete, "webhooks/{id}", id, &[])
            .await
            .map(drop)
    }

    async fn ask(
        &self,
        method: Method,
        name: &'static str,
        segments: &[&str],
    ) -> Result<Bytes, RequestFailure> {
        self.make(method, name, segments, &[], Scope::Webhook).await
    }

    async fn one(
        &self,
        method: Method,
        name: &'static str,
        id: &str,
        below: &[&str],
    ) -> Result<Bytes, WebhookError> {
        if id.is_empty() || id.len() > 20 || !id.bytes().all(|b| b.is_ascii_digit()) {
            return Err(WebhookError::InvalidId(id.chars().take(20).collect()));
        }
        let segments = [&["webhooks", id], below].concat();
        self.ask(method, name, &segments)
            .await
            .map_err(|failure| match failure.error {
                ReadError::Forbidden { .. } => WebhookError::OtherOwner(id.to_owned()),
                ReadError::NotFound { .. } => WebhookError::NoSuchWebhook(id.to_owned()),
                error => WebhookError::Read(error),
            })
    }
}

impl WebhookRequest {
    /// What is posted to make it. Field by field under its own alias, so that nobody's renaming of a field
    /// changes what a body means.
    fn body(&self) -> String {
        let family = match self.kind {
            WebhookKind::Event => "employee",
            WebhookKind::Field => "employee_with_fields",
        };
        let events: Vec<String> = ["created", "updated", "deleted"]
            .iter()
            .map(|event| format!("{family}.{event}"))
            .collect();
        let mut body = json!({
            "name": self.name,
            "url": self.url,
            "format": "json",
            "events": events,
            "monitorFields": self.fields,
            "includeCompanyDomain": true,
        });
        if self.kind == WebhookKind::Field {
            // What may not be monitored may not be seen either; only the end is posted and never monitored.
            let posted = BAMBOOHR_FIELDS
                .iter()
                .filter(|field| self.fields.contains(field) || !MONITORED_FIELDS.contains(field));
            let names: Map<_, _> = posted
                .map(|field| ((*field).to_owned(), (*field).into()))
                .collect();
            body["postFields"] = names.into();
        }
        body.to_string()
    }
}

/// Why there is no new webhook, or may be one all the same.
fn not_made(failure: RequestFailure) -> WebhookError {
    let refused = bamboohr_refused_fields(&failure.refusal);
    if !refused.is_empty() {
        return WebhookError::Fields(refused.words());
    }
    if failure.may_have_succeeded() {
        return WebhookError::MayExist {
            cause: failure.error,
        };
    }
    match failure.error {
        ReadError::Refused { status: 400 } => WebhookError::Malformed,
        ReadError::Forbidden { .. } => WebhookError::CreationForbidden,
        error => WebhookError::Read(error),
    }
}
