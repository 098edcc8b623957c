//! Employees: who changed since a time, and the fields of one.

use chrono::{DateTime, SecondsFormat, Utc};

use super::{BambooHrApi, CREDENTIALS};
use crate::connect::ReadError;
use crate::connect::http::Scope;
use leaver_core::domain::EmployeeId;
use leaver_core::providers::{
    ChangedAction, ChangedSince, EmployeeRead, EntryError, bamboohr_changed, bamboohr_employee,
    bamboohr_requested_fields,
};

/// Returns the beginning of BambooHR's change history. Everybody has changed since then.
// 2011-06-05 (https://documentation.bamboohr.com/reference/last-change-information-1, read 2026-11-22).
#[must_use]
pub fn history_begins() -> DateTime<Utc> {
    DateTime::from_timestamp(1_307_232_000, 0).unwrap_or_default()
}

/// Returns the reason if the key's user cannot see all fields that the rules need. No departure follows then, or no
/// account is found.
pub(crate) fn withheld(read: &EmployeeRead) -> Option<String> {
    let names: Vec<String> = read
        .restricted_fields
        .iter()
        .map(|name| format!("`{name}`"))
        .collect();
    (!names.is_empty()).then(|| format!("the API does not return {}", names.join(", ")))
}

impl BambooHrApi {
    /// Returns true if the list of changes since `since` contains this employee as deleted.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn is_listed_as_deleted(
        &self,
        id: &EmployeeId,
        since: DateTime<Utc>,
    ) -> Result<bool, ReadError> {
        let changed = self.changed_since(since).await?;
        Ok(changed
            .employees
            .iter()
            .any(|entry| entry.employee_id == *id && entry.action == ChangedAction::Deleted))
    }

    /// Lists who changed after `since`, in one response without pages. Any field counts as a change; no value is
    /// included (`tests/openapi/bamboohr.yaml`, `get-changed-employee-ids`).
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
                Scope::Account,
            )
            .await?;
        Ok(bamboohr_changed(&body)?)
    }

    /// Reads one employee as of the beginning of the read, with future-dated values of history fields. Returns `None`
    /// if the employee does not exist (`tests/openapi/bamboohr.yaml`, `get-employee`).
    ///
    /// # Errors
    /// [`ReadError`]; [`ReadError::Forbidden`] if the key's user may not see this employee,
    /// [`ReadError::NullRecord`] if none of the fields is visible, and [`ReadError::UnreadableRecord`] if one of them
    /// cannot be read.
    pub async fn employee(&self, id: &EmployeeId) -> Result<Option<EmployeeRead>, ReadError> {
        self.employee_in(id, Scope::Record).await
    }

    /// Does the same for a record of this kind.
    pub(super) async fn employee_in(
        &self,
        id: &EmployeeId,
        scope: Scope,
    ) -> Result<Option<EmployeeRead>, ReadError> {
        // Id 0 is the key's own employee, and other texts could form another path.
        let digits = id.as_str();
        let is_id = digits.bytes().all(|b| b.is_ascii_digit()) && digits.bytes().any(|b| b != b'0');
        if !is_id {
            return Err(ReadError::InvalidId);
        }
        let began = self.now();
        let fields = bamboohr_requested_fields(&self.position).join(",");
        let query = [("fields", fields.as_str()), ("onlyCurrent", "false")];
        let response = self
            .get("employees/{id}", &["employees", digits], &query, scope)
            .await;
        let body = match response {
            Ok(body) => body,
            Err(ReadError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        bamboohr_employee(
            &body,
            id,
            began,
            &self.position,
            &self.tenant,
            self.timezone,
        )?
        .map(Some)
        .map_err(|problem| match problem {
            EntryError::NullRecord => ReadError::NullRecord { check: CREDENTIALS },
            problem => ReadError::UnreadableRecord { problem },
        })
    }
}
