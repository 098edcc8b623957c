//! Merge's HRIS API: employees page by page, and the state of Merge's own syncs.

mod batches;
mod cursors;
mod employees;
mod withheld;

use bytes::Bytes;
use chrono_tz::Tz;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

pub(crate) use self::batches::EmployeeBatches;
use self::cursors::Cursors;
pub(crate) use self::employees::EmployeePages;
pub(in crate::connect) use self::withheld::WithheldFields;
use super::ReadError;
use super::address::{self, MergeAddress};
use super::http::{ApiRequest, Method, Scope, Transport};
use leaver_core::domain::Tenant;
use leaver_core::providers::{
    Connection, ModelSync, PositionFacts, merge_connection, merge_sync_page,
};

/// The settings named when a request is refused.
const CREDENTIALS: &str = "api.api_key and the token of the linked account (linked_accounts)";

/// Merge's largest page
/// (<https://help.merge.dev/en/articles/6271002-max-payload-size>, read 2026-11-22).
const PAGE_SIZE: &str = "100";

/// One customer's connection, with its token.
// Requests carry this token beside the organization's key (https://docs.merge.dev/hris, read 2026-11-22).
#[derive(Clone, Debug)]
pub struct LinkedAccount {
    /// `linked_account.id`.
    pub id: String,
    /// The tenant of its employees.
    pub tenant: Tenant,
    /// The zone of their calendar days.
    pub timezone: Tz,
    /// The account token.
    pub token: SecretString,
}

/// The client of Merge's API, with one organization's key.
#[derive(Clone)]
pub struct MergeApi {
    base: Url,
    key: SecretString,
    transport: Transport,
    position: PositionFacts,
}

impl MergeApi {
    /// Creates a client for this address, with the organization's key.
    #[must_use]
    pub fn new(address: MergeAddress, api_key: SecretString, transport: Transport) -> Self {
        Self {
            base: address.0,
            key: api_key,
            transport,
            position: PositionFacts::default(),
        }
    }

    /// Sets the observed facts about the position; without it, there are none.
    #[must_use]
    pub fn with_position(self, position: PositionFacts) -> Self {
        Self { position, ..self }
    }

    /// Returns the base URL.
    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    /// Reads the sync state of each Common Model; `hris.Employee` is the one that matters
    /// (`tests/openapi/merge-hris.yaml`, `GET /hris/v1/sync-status`).
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn sync_status(&self, account: &LinkedAccount) -> Result<Vec<ModelSync>, ReadError> {
        let (mut models, mut cursor) = (vec![], None::<String>);
        let mut cursors = Cursors::new(self.transport.max_pages());
        loop {
            let mut query = vec![("page_size", PAGE_SIZE)];
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let body = self.get(account, "sync-status", &query).await;
            let page = merge_sync_page(&truncated_if_refused(body, cursor.is_some())?)?;
            models.extend(page.models);
            let Some(next) = page.next else {
                return Ok(models);
            };
            cursors.admit(&next)?;
            cursor = Some(next);
        }
    }

    /// Reads the state of the connection to the customer's HR system
    /// (`tests/openapi/merge-hris.yaml`, `GET /hris/v1/account-details`).
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn connection(&self, account: &LinkedAccount) -> Result<Connection, ReadError> {
        let body = self.get(account, "account-details", &[]).await?;
        Ok(merge_connection(&body)?)
    }

    async fn get(
        &self,
        account: &LinkedAccount,
        path: &'static str,
        query: &[(&str, &str)],
    ) -> Result<Bytes, ReadError> {
        let headers = [
            (
                AUTHORIZATION,
                secret_header(&format!("Bearer {}", self.key.expose_secret()))?,
            ),
            (
                HeaderName::from_static("x-account-token"),
                secret_header(account.token.expose_secret())?,
            ),
        ];
        let sent = self
            .transport
            .send(&ApiRequest {
                name: path,
                method: Method::Get,
                url: address::join(&self.base, &[path], query),
                headers: &headers,
                credentials: &account.id,
                check: CREDENTIALS,
                scope: Scope::Account,
            })
            .await;
        Ok(sent?)
    }
}

fn secret_header(text: &str) -> Result<HeaderValue, ReadError> {
    // A key that cannot be a header value was never valid at Merge.
    let mut value =
        HeaderValue::from_str(text).map_err(|_| ReadError::Unauthorized { check: CREDENTIALS })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Turns a refused cursor into [`ReadError::Truncated`]: the page that it stood for is missing.
fn truncated_if_refused(
    body: Result<Bytes, ReadError>,
    has_cursor: bool,
) -> Result<Bytes, ReadError> {
    body.map_err(|error| match error {
        ReadError::NotFound { .. } | ReadError::Refused { .. } if has_cursor => {
            truncated("the API refuses its own cursor")
        }
        other => other,
    })
}

fn truncated(problem: &'static str) -> ReadError {
    ReadError::Truncated { problem }
}
