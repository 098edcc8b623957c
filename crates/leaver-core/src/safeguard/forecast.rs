//! Compares scheduled ends of access with the limits, day by day.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};

use super::{Limits, PerWindow, Window};

/// Ends of access at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedEnds {
    /// When the access ends.
    pub at: DateTime<Utc>,
    /// The day of that moment in the time zone of the source.
    pub day: NaiveDate,
    /// The number of accounts.
    pub accounts: u64,
}

/// The rest of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Accounts that may still be changed.
    pub left: u64,
    /// When the limits apply again.
    pub expires_at: DateTime<Utc>,
}

/// The scheduled ends of one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForecastDay {
    /// The day in the time zone of the source.
    pub day: NaiveDate,
    /// The number of accounts.
    pub accounts: u64,
    /// The limit that they would exceed.
    pub excess: Option<Excess>,
}

/// A limit that scheduled ends would exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excess {
    /// `hour`, `day` or `grant`.
    pub limited_by: &'static str,
    /// Changes within the window.
    pub changes: u64,
    /// The limit.
    pub limit: u64,
}

/// Returns the days with scheduled ends, in order. `done` are the changes so far that count, with their times.
///
/// Each day is judged as if the days before it had been carried out.
#[must_use]
pub fn forecast(
    limits: &Limits,
    population: PerWindow,
    done: &[(DateTime<Utc>, u64)],
    planned: &[PlannedEnds],
    allowance: Option<Allowance>,
) -> Vec<ForecastDay> {
    let mut planned = planned.to_vec();
    planned.sort_by_key(|ends| ends.at);
    let mut counted = done.to_vec();
    let mut used = 0;
    let mut days: BTreeMap<NaiveDate, ForecastDay> = BTreeMap::new();
    for ends in planned {
        let excess = match allowance {
            Some(allowance) if ends.at < allowance.expires_at => {
                used += ends.accounts;
                (used > allowance.left).then_some(Excess {
                    limited_by: "grant",
                    changes: used,
                    limit: allowance.left,
                })
            }
            _ => {
                counted.push((ends.at, ends.accounts));
                excess_at(limits, population, &counted, ends.at)
            }
        };
        let day = days.entry(ends.day).or_insert(ForecastDay {
            day: ends.day,
            accounts: 0,
            excess: None,
        });
        day.accounts += ends.accounts;
        day.excess = day.excess.or(excess);
    }
    days.into_values().collect()
}

fn excess_at(
    limits: &Limits,
    population: PerWindow,
    counted: &[(DateTime<Utc>, u64)],
    at: DateTime<Utc>,
) -> Option<Excess> {
    let within = |window: Window| {
        let since = at - window.length();
        let recent = counted.iter().filter(|(then, _)| *then > since);
        recent.map(|(_, accounts)| accounts).sum()
    };
    let changes = PerWindow {
        hour: within(Window::Hour),
        day: within(Window::Day),
    };
    let exceeded = limits.exceeded(changes, population)?;
    Some(Excess {
        limited_by: exceeded.window.as_str(),
        changes: exceeded.changes,
        limit: exceeded.limit,
    })
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests {
    use super::*;

    const POPULATION: PerWindow = PerWindow {
        hour: 420,
        day: 420,
    };

    fn ends(at: &str, accounts: u64) -> PlannedEnds {
        let at: DateTime<Utc> = at.parse().unwrap();
        PlannedEnds {
            at,
            day: at.date_naive(),
            accounts,
        }
    }

    /// The limit that is exceeded, the changes and the limit.
    type Shown = Option<(&'static str, u64, u64)>;

    fn of(
        done: &[(DateTime<Utc>, u64)],
        planned: &[PlannedEnds],
        allowance: Option<Allowance>,
    ) -> Vec<(u64, Shown)> {
        let days = forecast(&Limits::default(), POPULATION, done, planned, allowance);
        days.into_iter()
            .map(|day| {
                let excess = day.excess;
                let excess = excess.map(|it| (it.limited_by, it.changes, it.limit));
                (day.accounts, excess)
            })
            .collect()
    }

    #[test]
    fn ends_of_one_moment_are_compared_with_the_hour() {
        let planned = [
            ends("2026-12-31T22:00:00Z", 34),
            ends("2026-12-24T22:00:00Z", 21),
        ];
        assert_eq!(
            of(&[], &planned, None),
            [(21, None), (34, Some(("hour", 34, 21)))]
        );
    }

    #[test]
    fn ends_of_a_day_are_compared_with_the_day() {
        let hours = ["06", "09", "12", "15"];
        let planned = hours.map(|hour| ends(&format!("2026-12-31T{hour}:00:00Z"), 11));
        assert_eq!(of(&[], &planned, None), [(44, Some(("day", 44, 42)))]);
        assert_eq!(of(&[], &planned[1..], None), [(33, None)]);
    }

    #[test]
    fn changes_so_far_count_while_the_window_lasts() {
        let done = [("2026-12-30T21:30:00Z".parse().unwrap(), 15)];
        let soon = [ends("2026-12-30T22:00:00Z", 10)];
        assert_eq!(of(&done, &soon, None), [(10, Some(("hour", 25, 21)))]);
        let later = [ends("2026-12-31T22:00:00Z", 10)];
        assert_eq!(of(&done, &later, None), [(10, None)]);
    }

    #[test]
    fn a_grant_covers_as_many_as_it_allows_until_it_expires() {
        let planned = [
            ends("2026-12-29T22:00:00Z", 30),
            ends("2026-12-30T22:00:00Z", 11),
            ends("2026-12-31T22:00:00Z", 20),
        ];
        let allowance = Allowance {
            left: 40,
            expires_at: "2026-12-31T00:00:00Z".parse().unwrap(),
        };
        assert_eq!(
            of(&[], &planned, Some(allowance)),
            [(30, None), (11, Some(("grant", 41, 40))), (20, None)]
        );
    }
}
