//! From calendar days to instants: when a day begins somewhere, and when access ends on it.

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use super::policy::Cutoff;
use crate::domain::Moment;

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
pub fn moment_begins(moment: Moment, timezone: Tz) -> DateTime<Utc> {
    match moment {
        Moment::Day(day) => day_begins(day, timezone),
        Moment::Instant(instant) => instant,
    }
}

/// The instant at which access must be gone.
#[must_use]
pub fn access_end(moment: Moment, timezone: Tz, cutoff: Cutoff) -> DateTime<Utc> {
    match (moment, cutoff) {
        (Moment::Instant(instant), _) => instant,
        (Moment::Day(day), Cutoff::StartOfDay) => day_begins(day, timezone),
        (Moment::Day(day), Cutoff::At(time)) => instant_of(day.and_time(time), timezone),
        (Moment::Day(day), Cutoff::EndOfDay) => {
            let next = day.checked_add_days(Days::new(1)).unwrap_or(day);
            day_begins(next, timezone)
        }
    }
}

/// The first instant at or after a wall-clock time.
///
/// Gaps end on a quarter of an hour everywhere in the zone database's present-day rules, and the longest
/// one is a whole day, so the search is short.
fn instant_of(wall: NaiveDateTime, timezone: Tz) -> DateTime<Utc> {
    let quarter = TimeDelta::minutes(15);
    let mut candidate = wall;
    for _ in 0..=(2 * 24 * 4) {
        if let Some(found) = timezone.from_local_datetime(&candidate).earliest() {
            return found.to_utc();
        }
        candidate = candidate.checked_add_signed(quarter).unwrap_or(candidate);
    }
    wall.and_utc()
}
