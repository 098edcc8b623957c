//! Merge's HRIS API: employees page by page, and how Merge's own syncing stands. Each linked account has a
//! token of its own beside the organization's key (Merge's HRIS documentation).

use std::collections::HashSet;

use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::ReadError;
use super::address::{self, MergeAddress};
use super::http::{ApiRequest, Method, Scope, Transport};
use leaver_core::domain::Tenant;
use leaver_core::providers::{
    Connection, EmployeePage, ModelSync, merge_connection, merge_page, merge_sync_page,
};

/// The settings behind a refused request.
const CREDENTIALS: &str = "api.api_key and the token of the linked account (linked_accounts)";

/// Merge's largest page (its help centre on page sizes).
const PAGE_SIZE: &str = "100";

/// So many pages in a row without a single record, each promising another, are a loop.
const EMPTY_PAGES: usize = 10;

/// One customer's connection, with what is needed to read it.
#[derive(Clone, Debug)]
pub struct LinkedAccount {
    /// `linked_account.id`.
    pub id: String,
    /// Whose employees it has.
    pub tenant: Tenant,
    /// Its token.
    pub token: SecretString,
}

/// Merge's API with one key.
#[derive(Clone)]
pub struct MergeApi {
    base: Url,
    key: SecretString,
    transport: Transport,
}

impl MergeApi {
    /// At this address, with the organization's key.
    #[must_use]
    pub fn new(address: MergeAddress, api_key: SecretString, transport: Transport) -> Self {
        Self {
            base: address.0,
            key: api_key,
            transport,
        }
    }

    /// The employees of an account, deleted ones included: all, or those whose `modified_at` is later.
    #[must_use]
    pub fn employees<'a>(
        &'a self,
        account: &'a LinkedAccount,
        modified_after: Option<DateTime<Utc>>,
    ) -> EmployeePages<'a> {
        EmployeePages {
            api: self,
            account,
            // The `Z` is explicit, since Merge reads a time without an offset as it likes.
            modified_after: modified_after
                .map(|at| at.to_rfc3339_opts(SecondsFormat::Micros, true)),
            position: Position::First,
            seen: HashSet::new(),
            empty_pages: 0,
        }
    }

    /// How the syncing of each Common Model stands; `hris.Employee` is the one that matters.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn sync_status(&self, account: &LinkedAccount) -> Result<Vec<ModelSync>, ReadError> {
        let (mut models, mut cursor, mut seen) = (vec![], None::<String>, HashSet::new());
        loop {
            let mut query = vec![("page_size", PAGE_SIZE)];
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let body = self.get(account, "sync-status", &query).await;
            let page = merge_sync_page(&cut_after_first(body, cursor.is_some())?)?;
            models.extend(page.models);
            let Some(next) = page.next else {
                return Ok(models);
            };
            note_cursor(&mut seen, &next)?;
            cursor = Some(next);
        }
    }

    /// How the connection to the customer's HR system stands.
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
        call: &'static str,
        query: &[(&str, &str)],
    ) -> Result<bytes::Bytes, ReadError> {
        let headers = [
            (
                AUTHORIZATION,
                secret(&format!("Bearer {}", self.key.expose_secret()))?,
            ),
            (
                HeaderName::from_static("x-account-token"),
                secret(account.token.expose_secret())?,
            ),
        ];
        let made = self
            .transport
            .make(&ApiRequest {
                name: call,
                method: Method::Get,
                url: address::below(&self.base, &[call], query),
                headers: &headers,
                tenant: &account.id,
                check: CREDENTIALS,
                scope: Scope::Tenant,
            })
            .await;
        Ok(made?)
    }
}

/// The pages of one read, fetched as they are asked for: one page is in memory at a time.
pub struct EmployeePages<'a> {
    api: &'a MergeApi,
    account: &'a LinkedAccount,
    modified_after: Option<String>,
    position: Position,
    seen: HashSet<String>,
    empty_pages: usize,
}

enum Position {
    First,
    At(String),
    End,
}

impl EmployeePages<'_> {
    /// The next page; `None` after the last. Only a read that came to this `None` is complete; after an
    /// error it begins anew with another [`MergeApi::employees`], or asks for the failed page once more.
    ///
    /// # Errors
    /// [`ReadError`]; [`ReadError::Truncated`] also when a promised page is refused or empty, or a cursor repeats.
    pub async fn next(&mut self) -> Result<Option<EmployeePage>, ReadError> {
        let cursor = match &self.position {
            Position::End => return Ok(None),
            Position::First => None,
            Position::At(cursor) => Some(cursor.as_str()),
        };
        // All but the cursor stays the same while paging (Merge's pagination page).
        let mut query = vec![("page_size", PAGE_SIZE), ("include_deleted_data", "true")];
        query.extend(
            self.modified_after
                .as_deref()
                .map(|after| ("modified_after", after)),
        );
        query.extend(cursor.map(|cursor| ("cursor", cursor)));
        let body = self.api.get(self.account, "employees", &query).await;
        let page = merge_page(
            &cut_after_first(body, cursor.is_some())?,
            &self.account.tenant,
        )?;

        let is_empty = page.changes.is_empty() && page.bad_entries.is_empty();
        self.empty_pages = if is_empty { self.empty_pages + 1 } else { 0 };
        let was_promised = cursor.is_some();
        match &page.next {
            None if is_empty && was_promised => {
                return Err(cut("the page that the last one promised is empty"));
            }
            Some(_) if self.empty_pages >= EMPTY_PAGES => {
                return Err(cut("one empty page after the other promises more"));
            }
            None => self.position = Position::End,
            Some(next) => {
                note_cursor(&mut self.seen, next)?;
                self.position = Position::At(next.clone());
            }
        }
        Ok(Some(page))
    }
}

/// A header that does not show itself.
fn secret(text: &str) -> Result<HeaderValue, ReadError> {
    // A key that is no header value was never one of Merge's.
    let mut value =
        HeaderValue::from_str(text).map_err(|_| ReadError::Unauthorized { check: CREDENTIALS })?;
    value.set_sensitive(true);
    Ok(value)
}

/// A cursor that is refused, or leads nowhere, is a promise not kept.
fn cut_after_first(
    body: Result<bytes::Bytes, ReadError>,
    has_cursor: bool,
) -> Result<bytes::Bytes, ReadError> {
    body.map_err(|error| match error {
        ReadError::NotFound { .. } | ReadError::Refused { .. } if has_cursor => {
            cut("the API refuses the cursor that it gave")
        }
        other => other,
    })
}

/// A cursor that was there before would lead round in a circle.
fn note_cursor(seen: &mut HashSet<String>, cursor: &str) -> Result<(), ReadError> {
    if seen.insert(cursor.to_owned()) {
        Ok(())
    } else {
        Err(cut("the same cursor came twice"))
    }
}

fn cut(problem: &'static str) -> ReadError {
    ReadError::Truncated { problem }
}
