//! Periods of reports: calendar days or exact instants.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use leaver_core::decision::access_end::day_start;

/// One end of a period, as it is written on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// A calendar day.
    Day(NaiveDate),
    /// An instant.
    Instant(DateTime<Utc>),
}

/// A period, from its first instant up to, but without, its last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Period {
    /// The first instant.
    pub(crate) from: DateTime<Utc>,
    /// The first instant after it.
    pub(crate) to: DateTime<Utc>,
    /// The time zone of its calendar days.
    pub(crate) timezone: Tz,
}

impl Bound {
    /// Parses `2026-01-31` or `2026-01-31T17:00:00Z`.
    ///
    /// # Errors
    /// Returns the expected form.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if let Ok(day) = text.parse() {
            return Ok(Self::Day(day));
        }
        let instant = DateTime::parse_from_rfc3339(text);
        instant
            .map(|instant| Self::Instant(instant.to_utc()))
            .map_err(
                |_| "expected a day such as 2026-01-31, or a time such as 2026-01-31T17:00:00Z",
            )
    }
}

impl Period {
    /// Resolves both ends in a time zone. A day as the last end belongs to the period as a whole.
    #[must_use]
    pub(crate) fn resolve(from: Bound, to: Bound, timezone: Tz) -> Self {
        let from = match from {
            Bound::Day(day) => day_start(day, timezone),
            Bound::Instant(instant) => instant,
        };
        let to = match to {
            Bound::Day(day) => day
                .succ_opt()
                .map_or(DateTime::<Utc>::MAX_UTC, |next| day_start(next, timezone)),
            Bound::Instant(instant) => instant,
        };
        Self { from, to, timezone }
    }

    /// Returns true if no instant is in the period.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.from >= self.to
    }

    /// Returns true if an instant is in the period.
    #[must_use]
    pub(crate) fn contains(&self, at: DateTime<Utc>) -> bool {
        self.from <= at && at < self.to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(from: &str, to: &str, timezone: Tz) -> (String, String) {
        let period = Period::resolve(
            Bound::parse(from).unwrap_or(Bound::Instant(DateTime::UNIX_EPOCH)),
            Bound::parse(to).unwrap_or(Bound::Instant(DateTime::UNIX_EPOCH)),
            timezone,
        );
        (period.from.to_rfc3339(), period.to.to_rfc3339())
    }

    #[test]
    fn a_last_day_is_part_of_the_period() {
        // The clocks change on 29 March.
        let berlin = chrono_tz::Europe::Berlin;
        assert_eq!(
            period("2026-03-29", "2026-03-29", berlin),
            (
                "2026-03-28T23:00:00+00:00".to_owned(),
                "2026-03-29T22:00:00+00:00".to_owned()
            )
        );
    }

    #[test]
    fn a_last_instant_is_not_part_of_the_period() {
        let period = period("2026-03-29T00:00:00Z", "2026-03-29T10:00:00+02:00", Tz::UTC);
        assert_eq!(period.1, "2026-03-29T08:00:00+00:00");
    }
}
