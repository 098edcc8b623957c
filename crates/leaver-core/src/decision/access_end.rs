//! From calendar days to instants: when a day begins somewhere, and when access ends on it.

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::{GapInfo, Tz};

use super::policy::Cutoff;
use crate::domain::DateOrInstant;

/// The first instant of a calendar day in a time zone.
///
/// Midnight may not exist (clocks jump over it in some zones) or the whole day may not (zones that moved
/// across the date line): then it is the first instant that does. It may come twice: then the first.
#[must_use]
pub fn day_begins(day: NaiveDate, timezone: Tz) -> DateTime<Utc> {
    instant_of(day.and_time(NaiveTime::MIN), timezone)
}

/// When a moment has begun: a day with its first instant, an instant with itself.
#[must_use]
pub fn moment_begins(moment: DateOrInstant, timezone: Tz) -> DateTime<Utc> {
    match moment {
        DateOrInstant::Day(day) => day_begins(day, timezone),
        DateOrInstant::Instant(instant) => instant,
    }
}

/// The instant at which access must be gone.
#[must_use]
pub fn access_end(moment: DateOrInstant, timezone: Tz, cutoff: Cutoff) -> DateTime<Utc> {
    match (moment, cutoff) {
        (DateOrInstant::Instant(instant), _) => instant,
        (DateOrInstant::Day(day), Cutoff::StartOfDay) => day_begins(day, timezone),
        (DateOrInstant::Day(day), Cutoff::At(time)) => instant_of(day.and_time(time), timezone),
        (DateOrInstant::Day(day), Cutoff::EndOfDay) => {
            let next = day.checked_add_days(Days::new(1)).unwrap_or(day);
            day_begins(next, timezone)
        }
    }
}

/// The first instant at or after a wall-clock time: of one that comes twice the first, of one that clocks
/// jump over the end of the gap, to the second.
fn instant_of(wall: NaiveDateTime, timezone: Tz) -> DateTime<Utc> {
    timezone
        .from_local_datetime(&wall)
        .earliest()
        .or_else(|| GapInfo::new(&wall, &timezone)?.end)
        .map_or_else(|| outermost(wall), |found| found.to_utc())
}

/// On the first and the last day of the calendar an offset may lead out of it.
fn outermost(wall: NaiveDateTime) -> DateTime<Utc> {
    if wall < DateTime::UNIX_EPOCH.naive_utc() {
        DateTime::<Utc>::MIN_UTC
    } else {
        DateTime::<Utc>::MAX_UTC
    }
}
