//! BambooHR's API: who changed since a time, and one employee's fields.
//!
//! There is no call for a list of all. `GET /api/v1/employees` pages well, but BambooHR's OpenAPI file allows
//! it OAuth only, not the basic auth of an API key, and it has neither `terminationDate` nor
//! `employmentHistoryStatus`; the directory has active people only. So a full read is everybody who changed
//! since BambooHR's history begins, each read one by one.

mod webhooks;
pub use webhooks::{MONITORED_FIELDS, WebhookError, WebhookKind, WebhookRequest};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::ReadError;
use super::address::{self, BambooHrAddress};
use super::http::{ApiRequest, Method, RequestFailure, Scope, Transport};
use leaver_core::domain::{EmployeeId, Tenant};
use leaver_core::providers::{
    BAMBOOHR_FIELDS, ChangedSince, EmployeeRead, bamboohr_changed, bamboohr_employee,
};

/// The settings behind a refused request. A key acts as the user who made it and dies with that user.
const CREDENTIALS: &str = "api.api_key and the BambooHR user who made that key";

/// Since when BambooHR knows of changes (its page on last change information); who changed since then is
/// everybody.
#[must_use]
pub fn history_begins() -> DateTime<Utc> {
    DateTime::from_timestamp(1_307_232_000, 0).unwrap_or_default()
}

/// One company's BambooHR.
#[derive(Clone)]
pub struct BambooHrApi {
    base: Url,
    tenant: Tenant,
    key: SecretString,
    transport: Transport,
}

impl BambooHrApi {
    /// At this address, with a key of the company's; its employees belong to `tenant`.
    #[must_use]
    pub fn new(
        address: BambooHrAddress,
        tenant: Tenant,
        api_key: SecretString,
        transport: Transport,
    ) -> Self {
        Self {
            base: address.0,
            tenant,
            key: api_key,
            transport,
        }
    }

    /// Who changed since then, in one answer: BambooHR does not page it. Any field counts as a change, and
    /// no value comes along.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn changed_since(&self, since: DateTime<Utc>) -> Result<ChangedSince, ReadError> {
        let since = since.to_rfc3339_opts(SecondsFormat::Secs, true);
        let query = [("since", since.as_str())];
        let body = self
            .get(
                "employees/changed",
                &["employees", "changed"],
                &query,
                Scope::Tenant,
            )
            .await?;
        Ok(bamboohr_changed(&body)?)
    }

    /// What BambooHR says of one employee, future-dated values of history fields included; as of the moment
    /// the read began. `None` when there is no such employee (any more).
    ///
    /// # Errors
    /// [`ReadError`]; [`ReadError::Forbidden`] when the key's user may not see this one, and
    /// [`ReadError::NullRecord`] when nothing of it can be seen.
    pub async fn employee(&self, id: &EmployeeId) -> Result<Option<EmployeeRead>, ReadError> {
        // Zero would be the key's own employee, and other texts other addresses.
        let digits = id.as_str();
        let is_id = digits.bytes().all(|b| b.is_ascii_digit()) && digits.bytes().any(|b| b != b'0');
        if !is_id {
            return Err(ReadError::InvalidId);
        }
        let began = self.transport.now();
        let fields = BAMBOOHR_FIELDS.join(",");
        let query = [("fields", fields.as_str()), ("onlyCurrent", "false")];
        let answer = self
            .get(
                "employees/{id}",
                &["employees", digits],
                &query,
                Scope::Record,
            )
            .await;
        let body = match answer {
            Ok(body) => body,
            Err(ReadError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        bamboohr_employee(&body, id, began, &self.tenant)?
            .map(Some)
            .map_err(|_| ReadError::NullRecord { check: CREDENTIALS })
    }

    async fn get(
        &self,
        name: &'static str,
        segments: &[&str],
        query: &[(&str, &str)],
        scope: Scope,
    ) -> Result<Bytes, ReadError> {
        let made = self.make(Method::Get, name, segments, query, scope);
        Ok(made.await?)
    }

    /// One call. Its name is for the log, its address is below the company's.
    pub(crate) async fn make(
        &self,
        method: Method,
        name: &'static str,
        segments: &[&str],
        query: &[(&str, &str)],
        scope: Scope,
    ) -> Result<Bytes, RequestFailure> {
        let headers = [(
            AUTHORIZATION,
            self.basic().map_err(RequestFailure::not_sent)?,
        )];
        self.transport
            .make(&ApiRequest {
                name,
                method,
                url: address::below(&self.base, segments, query),
                headers: &headers,
                // A company has one address, whichever of the two forms.
                tenant: self.base.as_str(),
                check: CREDENTIALS,
                scope,
            })
            .await
    }

    /// The key is the user; the password may be anything, and by custom is `x`.
    fn basic(&self) -> Result<HeaderValue, ReadError> {
        let pair = BASE64_STANDARD.encode(format!("{}:x", self.key.expose_secret()));
        let mut value = HeaderValue::from_str(&format!("Basic {pair}"))
            .map_err(|_| ReadError::Unauthorized { check: CREDENTIALS })?;
        value.set_sensitive(true);
        Ok(value)
    }
}
