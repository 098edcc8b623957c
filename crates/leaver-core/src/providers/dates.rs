//! Parses days and instants. A text that is neither yields `None`, since providers pass on what people typed.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Utc};

use crate::domain::DateOrInstant;

/// Parses an ISO 8601 instant with the offset `Z`, `+00:00` or `+0000`. Without an offset it is UTC.
///
/// The result has microseconds and no leap seconds, as in Postgres, so it is unchanged after a round trip.
pub(super) fn instant(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
        .map(|at| at.to_utc())
        .or_else(|_| {
            NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").map(|at| at.and_utc())
        })
        .ok()
        // A leap second becomes the second after it, as in Postgres.
        .and_then(|at| DateTime::from_timestamp_micros(at.timestamp_micros()))
        // chrono also parses signed and longer years, which Postgres may reject. The offset can move a
        // four-digit year by one.
        .filter(|at| (-1..=10_000).contains(&at.year()))
}

/// Parses a calendar day of the form `YYYY-MM-DD`.
pub(super) fn day(text: &str) -> Option<NaiveDate> {
    let text = text.trim();
    // chrono would also parse `2026-1-5` and signed years.
    let digits = |range| {
        text.get(range)
            .is_some_and(|part: &str| part.bytes().all(|b| b.is_ascii_digit()))
    };
    let shaped = text.len() == 10 && digits(0..4) && digits(5..7) && digits(8..10);
    shaped
        .then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok())
        .flatten()
}

/// Parses the calendar day as written, even if a time follows it.
pub(super) fn parse_day(text: &str) -> Option<NaiveDate> {
    let text = text.trim();
    day(text).or_else(|| {
        instant(text)?;
        day(text.get(..10)?)
    })
}

/// Parses a day or an instant. Midnight UTC is a calendar day, any other time an instant.
pub(super) fn date_or_instant(text: &str) -> Option<DateOrInstant> {
    // Merge writes calendar days as midnight UTC (tests/openapi/merge-hris.yaml, GET /hris/v1/employees).
    if let Some(day) = day(text) {
        return Some(DateOrInstant::Day(day));
    }
    let at = instant(text)?;
    Some(if at.time() == NaiveTime::MIN {
        DateOrInstant::Day(at.date_naive())
    } else {
        DateOrInstant::Instant(at)
    })
}

/// Parses the calendar day, in UTC, of a day or an instant.
pub(super) fn day_in_utc(text: &str) -> Option<NaiveDate> {
    Some(match date_or_instant(text)? {
        DateOrInstant::Day(day) => day,
        DateOrInstant::Instant(at) => at.date_naive(),
    })
}
