//! Filters of the employee list, as written in a query or on the command line.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use strum::{EnumString, IntoStaticStr, VariantNames};

/// Employment status to select.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(
    serialize_all = "lowercase",
    parse_err_ty = UnknownStatus,
    parse_err_fn = unknown_status
)]
pub enum EmploymentFilter {
    /// Employed.
    Active,
    /// Starts in the future.
    Pending,
    /// Not employed.
    Inactive,
    /// Missing, or a word that Leaver does not know.
    Unknown,
}

/// Rejects a word that is no status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be active, pending, inactive or unknown")]
pub struct UnknownStatus;

fn unknown_status(_word: &str) -> UnknownStatus {
    UnknownStatus
}

/// Rejects a text that is no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a time such as 2026-01-31T17:00:00Z or 2026-01-31T17:00:00+0000, or a day such as 2026-01-31 (midnight UTC)"
)]
pub(crate) struct InvalidTime;

impl EmploymentFilter {
    /// Returns the word in a query and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Parses RFC 3339, also with an offset without colon as the providers write it, or a date, which means midnight UTC.
///
/// # Errors
/// [`InvalidTime`] for any other text.
pub(crate) fn parse_time(text: &str) -> Result<DateTime<Utc>, InvalidTime> {
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Ok(day.and_time(NaiveTime::MIN).and_utc());
    }
    DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
        .map(|at| at.to_utc())
        .map_err(|_| InvalidTime)
}
