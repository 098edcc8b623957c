//! A place in the list, as text that means something to us alone.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};

use super::EmployeeRow;

/// The version of the text. One that we cannot read any more is told apart from one that is damaged.
const VERSION: u32 = 1;

/// The place after one entry: the key by which the list is sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub(super) modified_at: DateTime<Utc>,
    pub(super) source: String,
    pub(super) tenant: String,
    pub(super) employee_id: String,
}

/// Why a text is no place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCursor {
    /// It was never one of ours, or something is missing of it.
    #[error(
        "is not a cursor: give the `next` of the page before as it came, or leave it out to begin anew"
    )]
    Garbled,
    /// It was made by another version of Leaver.
    #[error("is of another version of Leaver: leave it out to begin anew")]
    OtherVersion,
}

impl Cursor {
    /// The place after this entry.
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
    /// [`BadCursor`].
    pub fn parse(text: &str) -> Result<Self, BadCursor> {
        let bytes = BASE64_URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| BadCursor::Garbled)?;
        let parts: Vec<serde_json::Value> =
            serde_json::from_slice(&bytes).map_err(|_| BadCursor::Garbled)?;
        let version = parts.first().and_then(serde_json::Value::as_u64);
        if version.ok_or(BadCursor::Garbled)? != u64::from(VERSION) {
            return Err(BadCursor::OtherVersion);
        }
        let (_, micros, source, tenant, employee_id): (u32, i64, String, String, String) =
            serde_json::from_value(parts.into()).map_err(|_| BadCursor::Garbled)?;
        // Postgres has no texts with a NUL in them.
        if [&source, &tenant, &employee_id]
            .iter()
            .any(|part| part.contains('\0'))
        {
            return Err(BadCursor::Garbled);
        }
        Ok(Self {
            modified_at: DateTime::from_timestamp_micros(micros).ok_or(BadCursor::Garbled)?,
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
