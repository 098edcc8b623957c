//! Parses days and instants. A text that is neither yields `None`, since providers pass on what people typed.

use chrono::{
    DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc,
};
use chrono_tz::Tz;

use crate::domain::DateOrInstant;

/// Parses an ISO 8601 instant with the offset `Z`, `+00:00` or `+0000`. Without an offset it is UTC.
///
/// The result has microseconds and no leap seconds, as in Postgres, so it is unchanged after a round trip.
pub(super) fn instant(text: &str) -> Option<DateTime<Utc>> {
    written(text).map(|at| at.to_utc())
}

/// Does the same, and keeps the offset.
fn written(text: &str) -> Option<DateTime<FixedOffset>> {
    let text = text.trim();
    let at = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
        .or_else(|_| {
            NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
                .map(|at| at.and_utc().fixed_offset())
        })
        .ok()?;
    // A leap second becomes the second after it, as in Postgres.
    DateTime::from_timestamp_micros(at.timestamp_micros())
        // chrono also parses signed and longer years, which Postgres may reject. The offset can move a
        // four-digit year by one.
        .filter(|at| (-1..=10_000).contains(&at.year()))
        .map(|utc| utc.with_timezone(at.offset()))
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

/// Parses a day or an instant. `timezone` is that of the source's calendar days.
///
/// A time at midnight of its own offset is a calendar day, and so is a time in UTC at which a day of `timezone` begins.
/// Any other time is an instant.
pub(super) fn date_or_instant(text: &str, timezone: Tz) -> Option<DateOrInstant> {
    if let Some(day) = day(text) {
        return Some(DateOrInstant::Day(day));
    }
    // Merge writes calendar days as midnight UTC (tests/openapi/merge-hris.yaml, GET /hris/v1/employees). HR systems
    // behind it write midnight of the company, with its offset or converted to UTC.
    let at = written(text)?;
    if at.time() == NaiveTime::MIN {
        return Some(DateOrInstant::Day(at.date_naive()));
    }
    let is_utc = at.offset().local_minus_utc() == 0;
    let day = is_utc
        .then(|| day_that_begins(at.to_utc(), timezone))
        .flatten();
    Some(day.map_or(DateOrInstant::Instant(at.to_utc()), DateOrInstant::Day))
}

/// Parses the calendar day of a day or an instant.
pub(super) fn day_of(text: &str, timezone: Tz) -> Option<NaiveDate> {
    Some(match date_or_instant(text, timezone)? {
        DateOrInstant::Day(day) => day,
        DateOrInstant::Instant(at) => at.with_timezone(&timezone).date_naive(),
    })
}

/// Returns the day that begins at an instant.
fn day_that_begins(at: DateTime<Utc>, timezone: Tz) -> Option<NaiveDate> {
    let local = at.with_timezone(&timezone);
    // Where the clock skips midnight, a day begins later.
    let before = at.checked_sub_signed(TimeDelta::microseconds(1))?;
    let is_first = before.with_timezone(&timezone).date_naive() < local.date_naive();
    (local.time() == NaiveTime::MIN || is_first).then(|| local.date_naive())
}
