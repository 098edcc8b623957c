//! Limits on the number of accounts that are changed within a window of time.
//!
//! A stream of webhooks has no run that a limit could apply to, so the windows slide.

mod forecast;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

pub use self::forecast::{Allowance, Excess, ForecastDay, PlannedEnds, forecast};

/// A limit within a window: the larger of a number and a percentage of the accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// This many changes are always allowed.
    pub floor: u32,
    /// Percentage of the population, 1 to 50.
    pub percent: u8,
}

impl Limit {
    /// Returns how many changes are allowed for a population. The percentage is rounded down.
    #[must_use]
    pub fn of(self, population: u64) -> u64 {
        let share = u128::from(population) * u128::from(self.percent) / 100;
        u64::from(self.floor).max(u64::try_from(share).unwrap_or(u64::MAX))
    }
}

/// A window of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Window {
    /// 60 minutes.
    Hour,
    /// 24 hours.
    Day,
}

impl Window {
    /// Returns its length.
    #[must_use]
    pub fn length(self) -> TimeDelta {
        match self {
            Self::Hour => TimeDelta::hours(1),
            Self::Day => TimeDelta::hours(24),
        }
    }

    /// Returns the word used in the database and in output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The limits of a tenant in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Within 60 minutes.
    pub hour: Limit,
    /// Within 24 hours.
    pub day: Limit,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            hour: Limit {
                floor: 5,
                percent: 5,
            },
            day: Limit {
                floor: 10,
                percent: 10,
            },
        }
    }
}

/// A number in each window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerWindow {
    /// Within 60 minutes.
    pub hour: u64,
    /// Within 24 hours.
    pub day: u64,
}

/// A limit that is exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// The window.
    pub window: Window,
    /// Changes within the window, with those that are due now.
    pub changes: u64,
    /// The limit.
    pub limit: u64,
    /// The accounts of which the limit is a percentage.
    pub population: u64,
}

impl Limits {
    /// Returns whether the changes stay within the limits, however few accounts there are.
    #[must_use]
    pub fn allow_any_population(&self, changes: PerWindow) -> bool {
        self.exceeded(changes, PerWindow::default()).is_none()
    }

    /// Returns the limit that is exceeded, the hour first.
    #[must_use]
    pub fn exceeded(&self, changes: PerWindow, population: PerWindow) -> Option<Exceeded> {
        let windows = [
            (Window::Hour, self.hour, changes.hour, population.hour),
            (Window::Day, self.day, changes.day, population.day),
        ];
        let exceeded = windows.map(|(window, limit, changes, population)| Exceeded {
            window,
            changes,
            limit: limit.of(population),
            population,
        });
        exceeded
            .into_iter()
            .find(|window| window.changes > window.limit)
    }
}

/// The effect of decisions about the employees of a source.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "snake_case")]
pub enum SourceMode {
    /// Accounts are changed.
    #[default]
    Enforce,
    /// Changes are only planned.
    Shadow,
}

impl SourceMode {
    /// Returns the word used in the configuration, the database and in output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limit_is_the_larger_of_floor_and_percentage() {
        let limit = Limit {
            floor: 5,
            percent: 5,
        };
        for (population, expected) in [
            (0, 5),
            (100, 5),
            (119, 5),
            (120, 6),
            (139, 6),
            (420, 21),
            (u64::MAX, u64::MAX / 20),
        ] {
            assert_eq!(limit.of(population), expected, "{population}");
        }
    }

    #[test]
    fn each_window_has_its_own_limit() {
        let limits = Limits::default();
        let population = PerWindow {
            hour: 100,
            day: 100,
        };
        let window = |hour, day| {
            let exceeded = limits.exceeded(PerWindow { hour, day }, population);
            exceeded.map(|exceeded| exceeded.window)
        };
        assert_eq!(window(5, 10), None);
        assert_eq!(window(6, 6), Some(Window::Hour));
        assert_eq!(window(5, 11), Some(Window::Day));
        assert!(limits.allow_any_population(PerWindow { hour: 5, day: 10 }));
        assert!(!limits.allow_any_population(PerWindow { hour: 5, day: 11 }));
    }
}
