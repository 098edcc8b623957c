//! Converts calendar days to instants.

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::{GapInfo, Tz};

use super::policy::Cutoff;
use crate::domain::DateOrInstant;

/// Returns the first instant of a calendar day in a time zone.
///
/// If midnight is skipped, for example by a change of clocks, it is the first instant after the gap. If midnight occurs
/// twice, it is the first of both.
#[must_use]
pub fn day_start(day: NaiveDate, timezone: Tz) -> DateTime<Utc> {
    instant_of(day.and_time(NaiveTime::MIN), timezone)
}

/// Returns the first instant of a day, or the instant itself.
#[must_use]
pub fn start_of(date: DateOrInstant, timezone: Tz) -> DateTime<Utc> {
    match date {
        DateOrInstant::Day(day) => day_start(day, timezone),
        DateOrInstant::Instant(instant) => instant,
    }
}

/// Returns the instant at which access ends for a termination date. The cut-off applies to days only.
#[must_use]
pub fn access_end(date: DateOrInstant, timezone: Tz, cutoff: Cutoff) -> DateTime<Utc> {
    match (date, cutoff) {
        (DateOrInstant::Instant(instant), _) => instant,
        (DateOrInstant::Day(day), Cutoff::StartOfDay) => day_start(day, timezone),
        (DateOrInstant::Day(day), Cutoff::At(time)) => instant_of(day.and_time(time), timezone),
        (DateOrInstant::Day(day), Cutoff::EndOfDay) => {
            let next = day.checked_add_days(Days::new(1)).unwrap_or(day);
            day_start(next, timezone)
        }
    }
}

/// Returns the first instant at or after a local time: the earlier of two, or the end of a gap.
fn instant_of(local: NaiveDateTime, timezone: Tz) -> DateTime<Utc> {
    timezone
        .from_local_datetime(&local)
        .earliest()
        .or_else(|| GapInfo::new(&local, &timezone)?.end)
        .map_or_else(|| calendar_bound(local), |found| found.to_utc())
}

/// Returns the first or last representable instant. On those days, the offset can exceed the calendar.
fn calendar_bound(local: NaiveDateTime) -> DateTime<Utc> {
    if local < DateTime::UNIX_EPOCH.naive_utc() {
        DateTime::<Utc>::MIN_UTC
    } else {
        DateTime::<Utc>::MAX_UTC
    }
}
