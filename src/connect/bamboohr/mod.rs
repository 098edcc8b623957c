//! BambooHR's API: who changed since a time, one employee's fields, and webhooks.
//!
//! `list-employees` (`tests/openapi/bamboohr.yaml`) would return all employees at once. It is not used, since it takes
//! OAuth only, not an API key, and has neither `terminationDate` nor `employmentHistoryStatus`. A full read therefore
//! lists everybody who changed since BambooHR's history begins, and reads each employee.

mod batches;
mod employees;
mod webhooks;

pub(crate) use self::batches::EmployeeBatches;
pub use self::employees::history_begins;
pub(crate) use self::employees::withheld;
pub use self::webhooks::{MONITORED_FIELDS, WebhookError, WebhookKind, WebhookRequest};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::ReadError;
use super::address::{self, BambooHrAddress};
use super::http::{ApiRequest, Method, RequestFailure, Scope, Transport};
use leaver_core::domain::Tenant;

/// The settings named when a request is refused.
// A key acts as the user who made it and stops working with that user
// (https://documentation.bamboohr.com/docs/permissioned-webhooks, read 2026-11-22).
const CREDENTIALS: &str = "api.api_key and the BambooHR user who made that key";

/// The client of one company's BambooHR.
#[derive(Clone)]
pub struct BambooHrApi {
    base: Url,
    tenant: Tenant,
    timezone: Tz,
    key: SecretString,
    transport: Transport,
}

impl BambooHrApi {
    /// Creates a client for this address. `api_key` belongs to the company; its employees belong to `tenant`, and their
    /// calendar days to `timezone`.
    #[must_use]
    pub fn new(
        address: BambooHrAddress,
        tenant: Tenant,
        timezone: Tz,
        api_key: SecretString,
        transport: Transport,
    ) -> Self {
        Self {
            base: address.0,
            tenant,
            timezone,
            key: api_key,
            transport,
        }
    }

    /// Returns the base URL.
    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.transport.now()
    }

    /// Reads the path of these segments below the base URL. `name` stands for it in the log.
    async fn get(
        &self,
        name: &'static str,
        segments: &[&str],
        query: &[(&str, &str)],
        scope: Scope,
    ) -> Result<Bytes, ReadError> {
        let sent = self.send(Method::Get, name, segments, query, scope);
        Ok(sent.await?)
    }

    async fn send(
        &self,
        method: Method,
        name: &'static str,
        segments: &[&str],
        query: &[(&str, &str)],
        scope: Scope,
    ) -> Result<Bytes, RequestFailure> {
        let headers = [(
            AUTHORIZATION,
            self.basic_auth().map_err(RequestFailure::not_sent)?,
        )];
        self.transport
            .send(&ApiRequest {
                name,
                method,
                url: address::join(&self.base, segments, query),
                headers: &headers,
                // One company has one base URL, so it identifies the credentials.
                credentials: self.base.as_str(),
                check: CREDENTIALS,
                scope,
            })
            .await
    }

    fn basic_auth(&self) -> Result<HeaderValue, ReadError> {
        // The key is the user name. Any password works; `x` is the custom
        // (https://documentation.bamboohr.com/docs/api-details, read 2026-11-22).
        let pair = BASE64_STANDARD.encode(format!("{}:x", self.key.expose_secret()));
        let mut value = HeaderValue::from_str(&format!("Basic {pair}"))
            .map_err(|_| ReadError::Unauthorized { check: CREDENTIALS })?;
        value.set_sensitive(true);
        Ok(value)
    }
}
