//! BambooHR's webhooks over its API: list, read, create and delete. They belong to the user who made the API key, and
//! only that user's are visible (`tests/openapi/bamboohr.yaml`, `list-webhooks`).

use bytes::Bytes;
use serde_json::{Map, json};

use super::BambooHrApi;
use crate::connect::ReadError;
use crate::connect::http::{Method, RequestFailure, Scope};
use leaver_core::providers::{
    BAMBOOHR_FIELDS, LogEntry, MonitorField, NewWebhook, Webhook, WebhookConfig,
    bamboohr_monitor_fields, bamboohr_new_webhook, bamboohr_refused_fields, bamboohr_webhook,
    bamboohr_webhook_log, bamboohr_webhooks,
};

/// The fields whose change should send a webhook.
// `terminationDate` can be posted but not monitored; BambooHR answers with an error
// (https://documentation.bamboohr.com/docs/webhooks, read 2026-11-22).
pub const MONITORED_FIELDS: [&str; 4] =
    ["status", "employmentHistoryStatus", "workEmail", "hireDate"];

/// BambooHR's ids of webhooks are numbers; no longer id than this is sent.
const MAX_ID_LENGTH: usize = 20;

/// What a webhook posts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookKind {
    /// Who changed, without values. BambooHR recommends it.
    Event,
    /// Who changed, with values.
    Field,
}

/// A webhook to be created.
#[derive(Clone, Debug)]
pub struct WebhookRequest {
    /// Its name in BambooHR.
    pub name: String,
    /// The https URL that it posts to.
    pub url: String,
    /// What it posts.
    pub kind: WebhookKind,
    /// Those of [`MONITORED_FIELDS`] that the key's user may monitor.
    pub fields: Vec<&'static str>,
}

/// Why a request about webhooks failed. No text holds a key, or any part of a response except names of fields.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// The request failed as any read can.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The key's user may not use these fields.
    #[error(
        "BambooHR refuses these fields ({0}); let the BambooHR user who made `api.api_key` see them, \
         or use a key of a user who may"
    )]
    Fields(String),
    /// HTTP 400 that names no field.
    #[error(
        "BambooHR refuses this webhook (400); try another --name, and a --url that can be reached from the internet"
    )]
    Malformed,
    /// HTTP 403 that names no field, on creation.
    #[error(
        "the BambooHR user who made `api.api_key` may not create webhooks (403); give that user's access level \
         the right, or use another user's key"
    )]
    CreationForbidden,
    /// HTTP 403: the webhook belongs to another user.
    #[error(
        "webhook {0} belongs to another BambooHR user (403); use a key of that user to read or delete it"
    )]
    OtherOwner(String),
    /// HTTP 404.
    #[error(
        "BambooHR has no webhook {0} (404); run `leaver webhooks list` to see those of the key's user"
    )]
    NoSuchWebhook(String),
    /// HTTP 429, or HTTP 200 with 429 in the body, on reading a log.
    #[error("BambooHR limits how often delivery logs are read (429); try again in a minute")]
    Throttled,
    /// An id that BambooHR cannot have assigned.
    #[error(
        "`{0}` is not the id of a webhook; it consists of digits, as `leaver webhooks list` shows"
    )]
    InvalidId(String),
    /// The response to a creation was lost, and with it the signing key.
    #[error(
        "the response was lost or unreadable ({cause}), so the webhook may exist; run `leaver webhooks list`, \
         delete it if it is there, since its key is lost, and create it again"
    )]
    MayExist {
        /// Why the response is missing.
        cause: ReadError,
    },
}

impl BambooHrApi {
    /// Lists the webhooks of the key's user.
    ///
    /// # Errors
    /// [`WebhookError::Read`].
    pub async fn webhooks(&self) -> Result<Vec<Webhook>, WebhookError> {
        let sent = self.send_about_webhook(Method::Get, "webhooks", &["webhooks"]);
        let body = sent.await.map_err(ReadError::from)?;
        Ok(bamboohr_webhooks(&body).map_err(ReadError::from)?)
    }

    /// Reads one webhook with its configuration.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn webhook(&self, id: &str) -> Result<WebhookConfig, WebhookError> {
        let sent = self.send_to_webhook(Method::Get, "webhooks/{id}", id, &[]);
        Ok(bamboohr_webhook(&sent.await?).map_err(ReadError::from)?)
    }

    /// Reads a webhook's log: its deliveries of the last 14 days, at most 200
    /// (`tests/openapi/bamboohr.yaml`, `list-webhook-logs`).
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn webhook_log(&self, id: &str) -> Result<Vec<LogEntry>, WebhookError> {
        let sent = self.send_to_webhook(Method::Get, "webhooks/{id}/log", id, &["log"]);
        let body = sent.await.map_err(|error| match error {
            WebhookError::Read(ReadError::RateLimited { .. }) => WebhookError::Throttled,
            error => error,
        })?;
        Ok(bamboohr_webhook_log(&body).map_err(ReadError::from)?)
    }

    /// Lists the fields whose change can send a webhook of the key's user.
    ///
    /// # Errors
    /// [`WebhookError::Read`].
    pub async fn monitor_fields(&self) -> Result<Vec<MonitorField>, WebhookError> {
        let segments = ["webhooks", "monitor_fields"];
        let sent = self.send_about_webhook(Method::Get, "webhooks/monitor_fields", &segments);
        let body = sent.await.map_err(ReadError::from)?;
        Ok(bamboohr_monitor_fields(&body).map_err(ReadError::from)?)
    }

    /// Creates a webhook. Only this response contains its signing key
    /// (`tests/openapi/bamboohr.yaml`, `create-webhook`).
    ///
    /// # Errors
    /// [`WebhookError`]; [`WebhookError::MayExist`] if the outcome is unknown.
    pub async fn create_webhook(
        &self,
        wanted: &WebhookRequest,
    ) -> Result<NewWebhook, WebhookError> {
        let body = Bytes::from(wanted.body());
        let sent = self.send_about_webhook(Method::Post(body), "webhooks", &["webhooks"]);
        let response = sent.await.map_err(creation_error)?;
        bamboohr_new_webhook(&response).map_err(|bad| WebhookError::MayExist { cause: bad.into() })
    }

    /// Deletes a webhook permanently.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn delete_webhook(&self, id: &str) -> Result<(), WebhookError> {
        self.send_to_webhook(Method::Delete, "webhooks/{id}", id, &[])
            .await
            .map(drop)
    }

    async fn send_about_webhook(
        &self,
        method: Method,
        name: &'static str,
        segments: &[&str],
    ) -> Result<Bytes, RequestFailure> {
        self.send(method, name, segments, &[], Scope::Webhook).await
    }

    async fn send_to_webhook(
        &self,
        method: Method,
        name: &'static str,
        id: &str,
        below: &[&str],
    ) -> Result<Bytes, WebhookError> {
        // Another text could form another path.
        if id.is_empty() || id.len() > MAX_ID_LENGTH || !id.bytes().all(|b| b.is_ascii_digit()) {
            return Err(WebhookError::InvalidId(
                id.chars().take(MAX_ID_LENGTH).collect(),
            ));
        }
        let segments = [&["webhooks", id], below].concat();
        self.send_about_webhook(method, name, &segments)
            .await
            .map_err(|failure| match failure.error {
                ReadError::Forbidden { .. } => WebhookError::OtherOwner(id.to_owned()),
                ReadError::NotFound { .. } => WebhookError::NoSuchWebhook(id.to_owned()),
                error => WebhookError::Read(error),
            })
    }
}

impl WebhookRequest {
    /// Returns the JSON that creates it. Each field is posted under its own alias, so that a field renamed in BambooHR
    /// keeps its meaning.
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
            // A field that may not be monitored is not visible either. Only `terminationDate` is posted unmonitored.
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

fn creation_error(failure: RequestFailure) -> WebhookError {
    let refused = bamboohr_refused_fields(&failure.refusal);
    if !refused.is_empty() {
        return WebhookError::Fields(refused.description());
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
