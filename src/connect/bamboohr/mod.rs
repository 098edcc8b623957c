//! BambooHR's API: who changed since a time, one employee's fields, and webhooks.
//!
//! Many employees are read in the first way that the account allows: a custom report, the dataset of employees, single
//! reads. `list-employees` (`tests/openapi/bamboohr.yaml`) is not used, since it takes OAuth only, not an API key, and has
//! neither `terminationDate` nor `employmentHistoryStatus`. docs/BAMBOOHR.md has what is known of each way.

mod batches;
mod dataset;
mod employees;
mod reader;
mod report;
mod single;
mod ways;
mod webhooks;

pub(crate) use self::batches::EmployeeBatches;
pub use self::employees::history_begins;
pub(crate) use self::employees::withheld;
use self::ways::Ways;
pub use self::ways::{ReadWay, Way};
pub use self::webhooks::{MONITORED_FIELDS, WebhookError, WebhookKind, WebhookRequest};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::ReadError;
use super::address::{self, BambooHrAddress};
use super::http::{ApiRequest, BodyStream, Method, RequestFailure, Scope, Transport};
use leaver_core::domain::Tenant;
use leaver_core::providers::PositionFacts;

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
    ways: Ways,
    position: PositionFacts,
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
            ways: Ways::default(),
            position: PositionFacts::default(),
        }
    }

    /// Sets the observed facts about the position; without it, there are none.
    #[must_use]
    pub fn with_position(self, position: PositionFacts) -> Self {
        Self { position, ..self }
    }

    /// Returns the way of the last read of many that met an employee.
    pub(crate) fn read_way(&self) -> Option<ReadWay> {
        self.ways.last()
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
        let url = address::join(&self.base, segments, query);
        let headers = self.headers()?;
        let request = self.request(method, name, url, &headers, scope);
        self.transport.send(&request).await
    }

    /// Sends a request to a version of the API beside that of the base URL.
    async fn send_versioned(
        &self,
        method: Method,
        name: &'static str,
        version: &str,
        segments: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Bytes, RequestFailure> {
        let base = address::with_version(&self.base, version);
        let url = address::join(&base, segments, query);
        let headers = self.headers()?;
        let request = self.request(method, name, url, &headers, Scope::Bulk);
        self.transport.send(&request).await
    }

    /// Sends a request whose response is read in pieces.
    async fn stream(
        &self,
        method: Method,
        name: &'static str,
        segments: &[&str],
        query: &[(&str, &str)],
    ) -> Result<BodyStream, RequestFailure> {
        let url = address::join(&self.base, segments, query);
        let headers = self.headers()?;
        let request = self.request(method, name, url, &headers, Scope::Bulk);
        self.transport.stream(&request).await
    }

    fn request<'r>(
        &'r self,
        method: Method,
        name: &'static str,
        url: Url,
        headers: &'r [(HeaderName, HeaderValue)],
        scope: Scope,
    ) -> ApiRequest<'r> {
        ApiRequest {
            name,
            method,
            url,
            headers,
            // One company has one base URL, so it identifies the credentials.
            credentials: self.base.as_str(),
            check: CREDENTIALS,
            scope,
        }
    }

    fn headers(&self) -> Result<[(HeaderName, HeaderValue); 1], RequestFailure> {
        let auth = self.basic_auth().map_err(RequestFailure::not_sent)?;
        Ok([(AUTHORIZATION, auth)])
    }

    fn max_pages(&self) -> usize {
        self.transport.max_pages()
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
