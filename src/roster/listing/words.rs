//! What people and programs may ask for, as they write it.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use strum::{EnumString, IntoStaticStr, VariantNames};

/// How somebody stands with the company.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(
    serialize_all = "lowercase",
    parse_err_ty = UnknownStanding,
    parse_err_fn = unknown_standing
)]
pub enum EmploymentFilter {
    /// Works there.
    Active,
    /// Will work there.
    Pending,
    /// Does not work there.
    Inactive,
    /// Nobody told us, or in a word that we do not know.
    Unknown,
}

/// A word that is no standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be active, pending, inactive or unknown")]
pub struct UnknownStanding;

fn unknown_standing(_word: &str) -> UnknownStanding {
    UnknownStanding
}

/// A text that is no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a time such as 2026-01-31T17:00:00Z or 2026-01-31T17:00:00+0000, or a day such as 2026-01-31 (midnight UTC)"
)]
pub struct BadTime;

impl EmploymentFilter {
    /// Returns the word in a query and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Reads RFC 3339, an offset without its colon too, as the providers write it; or a day, which begins at midnight
/// UTC.
///
/// # Errors
/// [`BadTime`] for anything else.
pub fn parse_time(text: &str) -> Result<DateTime<Utc>, BadTime> {
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Ok(day.and_time(NaiveTime::MIN).and_utc());
    }
    DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
        .map(|at| at.to_utc())
        .map_err(|_| BadTime)
}
