//! Opaque position in the employee list.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};

use super::EmployeeRow;

/// Version of the format, so that an old cursor is distinguished from a damaged one.
const VERSION: u32 = 1;

/// Position after one entry: the sort key of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(super) modified_at: DateTime<Utc>,
    pub(super) source: String,
    pub(super) tenant: String,
    pub(super) employee_id: String,
}

/// Why a text is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CursorError {
    /// Not a cursor, or a damaged one.
    #[error(
        "is not a cursor; pass the `next` value of the previous page unchanged, or leave it out to start over"
    )]
    Invalid,
    /// Made by another version of Leaver.
    #[error("comes from another version of Leaver; leave it out to start over")]
    OtherVersion,
}

impl Cursor {
    /// Returns the position after this entry.
    pub(super) fn after(entry: &EmployeeRow) -> Self {
        Self {
            modified_at: entry.modified_at,
            source: entry.source.to_string(),
            tenant: entry.tenant.to_string(),
            employee_id: entry.employee_id.to_string(),
        }
    }

    /// Reads what [`fmt::Display`] wrote.
    ///
    /// # Errors
    /// [`CursorError`].
    pub(crate) fn parse(text: &str) -> Result<Self, CursorError> {
        let bytes = BASE64_URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| CursorError::Invalid)?;
        let parts: Vec<serde_json::Value> =
            serde_json::from_slice(&bytes).map_err(|_| CursorError::Invalid)?;
        let version = parts.first().and_then(serde_json::Value::as_u64);
        if version.ok_or(CursorError::Invalid)? != u64::from(VERSION) {
            return Err(CursorError::OtherVersion);
        }
        let (_, micros, source, tenant, employee_id): (u32, i64, String, String, String) =
            serde_json::from_value(parts.into()).map_err(|_| CursorError::Invalid)?;
        // Postgres rejects NUL in text.
        if [&source, &tenant, &employee_id]
            .iter()
            .any(|part| part.contains('\0'))
        {
            return Err(CursorError::Invalid);
        }
        Ok(Self {
            modified_at: DateTime::from_timestamp_micros(micros).ok_or(CursorError::Invalid)?,
            source,
            tenant,
            employee_id,
        })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = serde_json::json!([
            VERSION,
            self.modified_at.timestamp_micros(),
            self.source,
            self.tenant,
            self.employee_id
        ]);
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(parts.to_string()))
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}
