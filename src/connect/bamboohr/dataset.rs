//! The dataset of employees: pages of current values. It shows no future-dated values, so employees that may have one get a
//! single read.

use std::collections::HashSet;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::reader::{Listed, Reader, key};
use super::ways::{Way, WayFailure};
use crate::connect::http::{Method, RequestFailure};
use crate::connect::{ReadError, Selection};
use leaver_core::domain::{DateOrInstant, EmployeeChange, Field, Status};
use leaver_core::providers::{
    BAMBOOHR_DATASET_LIST, BAMBOOHR_FIELDS, DatasetFields, DatasetPlace, JsonList, ListPart,
    RowContext, bamboohr_dataset_fields,
};

/// The most that the API allows.
const PAGE_SIZE: usize = 1_000;
/// Pages of the list of fields that are read at most.
const MAX_FIELD_PAGES: usize = 20;
/// The dataset of employees, by its name in the API.
const NAME: &str = "employee";
/// Active employees with a termination date in these days before and after today get a single read.
// Two weeks of daily reads see a date that was moved or withdrawn. A later date comes near in time.
const NEAR: (TimeDelta, TimeDelta) = (TimeDelta::days(2), TimeDelta::days(14));

/// Facts that a row is compared with.
struct Knowledge {
    began: DateTime<Utc>,
    /// Employees with an announced end.
    announced: HashSet<u64>,
    /// Employees that changed after the last complete read.
    changed: HashSet<u64>,
}

/// A page of rows.
struct Page {
    rows: Vec<Vec<u8>>,
    place: DatasetPlace,
    as_of: DateTime<Utc>,
}

impl Reader {
    /// Reads all employees.
    pub(super) async fn read_dataset(
        &mut self,
        listed: &Listed,
        selection: &Selection,
    ) -> Result<(), WayFailure> {
        let fields = self.find_fields().await?;
        let (fields, mut page) = self.first_page(fields).await?;
        let all = BAMBOOHR_FIELDS.into_iter();
        let withheld: Vec<&str> = all
            .filter(|alias| fields.names.iter().all(|(named, _)| named != alias))
            .collect();
        if !withheld.is_empty() {
            tracing::warn!(fields = ?withheld, "sync.dataset: fields are withheld");
        }
        let knowledge = Knowledge {
            began: self.api.now(),
            announced: selection.announced.iter().filter_map(key).collect(),
            changed: changed_after(listed, selection.complete_until),
        };
        let (mut rows, mut number) = (0, 1);
        loop {
            let context = RowContext {
                as_of: page.as_of,
                tenant: &self.api.tenant.clone(),
                timezone: self.api.timezone,
                position: &self.api.position.clone(),
            };
            let (count, mut new) = (page.rows.len(), 0);
            rows += count;
            for row in std::mem::take(&mut page.rows) {
                let row = fields.row(&row, &context);
                let needs_single_read = |change: &_| knowledge.needs_single_read(change);
                new += usize::from(self.take_row(row, &withheld, needs_single_read).await);
            }
            // Without links and totals only an empty page shows the end.
            let is_promised = page.place.is_followed(number, rows);
            if !is_promised.unwrap_or(count > 0) {
                break;
            }
            let problem = match count {
                0 => Some("a promised page is empty"),
                _ if new == 0 => Some("a page repeats others"),
                _ if number >= self.api.max_pages() => Some("it has too many pages"),
                _ => None,
            };
            if let Some(problem) = problem {
                return Err(ReadError::Truncated { problem }.into());
            }
            number += 1;
            page = self
                .read_page(&fields, number, PAGE_SIZE)
                .await
                .map_err(|failure| WayFailure::of(Way::Dataset, failure))?;
        }
        if rows == 0 {
            return Err(WayFailure::Refused("the dataset has no rows".to_owned()));
        }
        if page.place.items.is_some_and(|items| rows < items) {
            self.out.warn("the dataset has more rows than it returned");
            self.has_gap = true;
        }
        Ok(())
    }

    /// Reads the dataset's own list of fields. A list without a needed field does not show if the field has another name
    /// or is withheld, so the dataset cannot be used.
    async fn find_fields(&mut self) -> Result<DatasetFields, WayFailure> {
        let (mut found, mut number) = (vec![], 1);
        loop {
            let text = number.to_string();
            let query = [("page", text.as_str()), ("page_size", "1000")];
            let segments = ["datasets", NAME, "fields"];
            let sent = self
                .api
                .send_versioned(Method::Get, "datasets/fields", "v1_2", &segments, &query)
                .await;
            let body = sent.map_err(|failure| WayFailure::of(Way::Dataset, failure))?;
            let page = bamboohr_dataset_fields(&body).map_err(ReadError::from)?;
            found.extend(page.fields);
            if number >= page.pages.min(MAX_FIELD_PAGES) {
                break;
            }
            number += 1;
        }
        DatasetFields::among(&found, &self.api.position).map_err(|missing| {
            WayFailure::Refused(format!("the dataset lists no field for `{missing}`"))
        })
    }

    /// Reads the first page. If it is refused because of single fields, it is read without them.
    async fn first_page(
        &mut self,
        fields: DatasetFields,
    ) -> Result<(DatasetFields, Page), WayFailure> {
        let refused = match self.read_page(&fields, 1, PAGE_SIZE).await {
            Ok(page) => return Ok((fields, page)),
            Err(failure) => failure,
        };
        let has_forbidden_field = matches!(refused.status, Some(400 | 403 | 422));
        let refused = WayFailure::of(Way::Dataset, refused);
        if !has_forbidden_field {
            return Err(refused);
        }
        if let Err(failure) = self.read_page(&fields.only(None), 1, 1).await {
            return Err(WayFailure::of(Way::Dataset, failure));
        }
        let mut allowed = fields.only(None);
        for (at, named) in fields.names.iter().enumerate() {
            match self.read_page(&fields.only(Some(at)), 1, 1).await {
                Ok(_) => allowed.names.push(named.clone()),
                Err(failure) => match WayFailure::of(Way::Dataset, failure) {
                    WayFailure::Refused(_) => {}
                    failed @ WayFailure::Read(_) => return Err(failed),
                },
            }
        }
        if allowed.names.len() == fields.names.len() {
            return Err(refused);
        }
        let page = self.read_page(&allowed, 1, PAGE_SIZE).await;
        let page = page.map_err(|failure| WayFailure::of(Way::Dataset, failure))?;
        Ok((allowed, page))
    }

    async fn read_page(
        &mut self,
        fields: &DatasetFields,
        number: usize,
        size: usize,
    ) -> Result<Page, RequestFailure> {
        let body: Value = fields.request(number, size);
        let as_of = self.api.now();
        let segments = ["datasets", NAME, "data"];
        let method = Method::Query(Bytes::from(body.to_string()));
        let sent = self
            .api
            .send_versioned(method, "datasets/data", "v2", &segments, &[]);
        let body = sent.await?;
        let mut list = JsonList::new(BAMBOOHR_DATASET_LIST);
        let (mut rows, mut place) = (vec![], DatasetPlace::default());
        let failed = |invalid| RequestFailure::from_response(ReadError::from(invalid));
        for part in list.push(&body).map_err(failed)? {
            match part {
                ListPart::Item(row) => rows.push(row),
                ListPart::LongItem => {
                    self.out.warn("a row is too long");
                    self.has_gap = true;
                }
                ListPart::Member(name, text) => place.take(&name, &text).map_err(failed)?,
            }
        }
        list.finish().map_err(failed)?;
        Ok(Page { rows, place, as_of })
    }
}

impl Knowledge {
    /// Returns true if the row of a person may hide a future-dated value.
    fn needs_single_read(&self, change: &EmployeeChange) -> bool {
        let facts = &change.facts;
        let Some(key) = key(&change.employee_id) else {
            return false;
        };
        let today = self.began.date_naive();
        // Only a single read shows if what was announced still holds. Before a first day the other values are those of the
        // employment before, or none.
        let is_before_first_day = facts
            .hire_date
            .value()
            .is_some_and(|day| *day >= today - NEAR.0);
        if self.announced.contains(&key) || is_before_first_day {
            return true;
        }
        if matches!(facts.status, Field::Value(Status::Inactive)) {
            return false;
        }
        let is_near = facts.termination_date.value().is_some_and(|date| {
            let day = match date {
                DateOrInstant::Day(day) => *day,
                DateOrInstant::Instant(at) => at.date_naive(),
            };
            (today - NEAR.0..=today + NEAR.1).contains(&day)
        });
        is_near || self.changed.contains(&key)
    }
}

/// Returns the employees that changed after the last complete read. The change can be the entry of a date.
fn changed_after(listed: &Listed, complete_until: Option<DateTime<Utc>>) -> HashSet<u64> {
    let Some(until) = complete_until else {
        return HashSet::new();
    };
    let changed = listed.employees.iter();
    changed
        .filter(|(_, at)| at.is_none_or(|at| at >= until))
        .map(|(key, _)| *key)
        .collect()
}
