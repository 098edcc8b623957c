//! Employees of one linked account, page by page (`tests/openapi/merge-hris.yaml`, `GET /hris/v1/employees`).

use chrono::{DateTime, SecondsFormat, Utc};

use super::cursors::Cursors;
use super::{LinkedAccount, MergeApi, PAGE_SIZE, truncated, truncated_if_refused};
use crate::connect::ReadError;
use leaver_core::providers::{EmployeePage, merge_expanded, merge_page};

/// After this many empty pages in a row that promise another, the read is taken for an endless loop.
const MAX_EMPTY_PAGES: usize = 10;

/// The pages of one read. Each is fetched when asked for, so one page is in memory at a time.
pub struct EmployeePages<'a> {
    api: &'a MergeApi,
    account: &'a LinkedAccount,
    modified_after: Option<String>,
    position: Position,
    cursors: Cursors,
    empty_pages: usize,
}

enum Position {
    First,
    At(String),
    End,
}

impl MergeApi {
    /// Starts a read of an account's employees, deleted ones included: all, or those with a later `modified_at`.
    #[must_use]
    pub fn employees<'a>(
        &'a self,
        account: &'a LinkedAccount,
        modified_after: Option<DateTime<Utc>>,
    ) -> EmployeePages<'a> {
        EmployeePages {
            api: self,
            account,
            // With an explicit `Z`: Merge does not define how it reads a time without an offset
            // (https://help.merge.dev/en/articles/6188145-the-modified_after-timestamp, read 2026-11-22).
            modified_after: modified_after
                .map(|at| at.to_rfc3339_opts(SecondsFormat::Micros, true)),
            position: Position::First,
            cursors: Cursors::new(self.transport.max_pages()),
            empty_pages: 0,
        }
    }
}

impl EmployeePages<'_> {
    /// Fetches the next page; `None` after the last. Only a read that reached `None` is complete. After an error
    /// another call fetches the failed page again.
    ///
    /// # Errors
    /// [`ReadError`]; [`ReadError::Truncated`] also if a promised page is refused or empty, or a cursor repeats.
    pub async fn next(&mut self) -> Result<Option<EmployeePage>, ReadError> {
        let cursor = match &self.position {
            Position::End => return Ok(None),
            Position::First => None,
            Position::At(cursor) => Some(cursor.as_str()),
        };
        // All parameters but the cursor must stay the same while paging
        // (https://docs.merge.dev/basics/pagination, read 2026-11-22).
        let mut query = vec![("page_size", PAGE_SIZE), ("include_deleted_data", "true")];
        query.extend(
            self.modified_after
                .as_deref()
                .map(|after| ("modified_after", after)),
        );
        let expanded = merge_expanded(&self.api.position);
        query.extend(expanded.map(|relations| ("expand", relations)));
        query.extend(cursor.map(|cursor| ("cursor", cursor)));
        let body = self.api.get(self.account, "employees", &query).await;
        let page = merge_page(
            &truncated_if_refused(body, cursor.is_some())?,
            &self.api.position,
            &self.account.tenant,
            self.account.timezone,
        )?;

        let is_empty = page.changes.is_empty() && page.bad_entries.is_empty();
        self.empty_pages = if is_empty { self.empty_pages + 1 } else { 0 };
        let was_promised = cursor.is_some();
        match &page.next {
            None if is_empty && was_promised => {
                return Err(truncated("a promised page is empty"));
            }
            Some(_) if self.empty_pages >= MAX_EMPTY_PAGES => {
                return Err(truncated("empty pages promise more without end"));
            }
            None => self.position = Position::End,
            Some(next) => {
                self.cursors.admit(next)?;
                self.position = Position::At(next.clone());
            }
        }
        Ok(Some(page))
    }
}
