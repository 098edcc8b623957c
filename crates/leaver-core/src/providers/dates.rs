//! Days and instants as the providers write them. What cannot be read is `None`: data, never an error.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Utc};

use crate::domain::DateOrInstant;

/// An ISO 8601 instant: `Z`, `+00:00`, or `+0000` as BambooHR's guide writes it. Without an offset it is
/// UTC, which both providers say their times are. As Postgres keeps it, in microseconds and without leap
/// seconds, so that an instant still equals itself after having been stored.
pub(super) fn instant(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
        .map(|at| at.to_utc())
        .or_else(|_| {
            NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").map(|at| at.and_utc())
        })
        .ok()
        // A leap second is the first second after it, as in Postgres.
        .and_then(|at| DateTime::from_timestamp_micros(at.timestamp_micros()))
        // chrono also reads signed and longer years, which Postgres may not hold. An offset may lead out of
        // four digits by a day.
        .filter(|at| (-1..=10_000).contains(&at.year()))
}

/// A calendar day, written `YYYY-MM-DD` and nothing else.
pub(super) fn day(text: &str) -> Option<NaiveDate> {
    let text = text.trim();
    // chrono alone would also read `2026-1-5` and years with a sign.
    let digits = |range| {
        text.get(range)
            .is_some_and(|part: &str| part.bytes().all(|b| b.is_ascii_digit()))
    };
    let shaped = text.len() == 10 && digits(0..4) && digits(5..7) && digits(8..10);
    shaped
        .then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok())
        .flatten()
}

/// A calendar day as it is written, also when a time follows it.
pub(super) fn parse_day(text: &str) -> Option<NaiveDate> {
    let text = text.trim();
    day(text).or_else(|| {
        instant(text)?;
        day(text.get(..10)?)
    })
}

/// Merge writes calendar days as midnight UTC; any other time of day is that very instant.
pub(super) fn moment(text: &str) -> Option<DateOrInstant> {
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

/// The calendar day in UTC of a date or an instant.
pub(super) fn day_in_utc(text: &str) -> Option<NaiveDate> {
    Some(match moment(text)? {
        DateOrInstant::Day(day) => day,
        DateOrInstant::Instant(at) => at.date_naive(),
    })
}
