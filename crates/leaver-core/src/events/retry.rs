//! When a failed attempt is repeated, and when a destination is paused.

use std::time::Duration;

/// Waits before the attempts of an event: 11 attempts within 75 hours.
const WAITS: [Duration; 11] = [
    Duration::ZERO,
    Duration::from_secs(5),
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(14),
    Duration::from_hours(20),
    Duration::from_hours(24),
];
/// The greatest part of a wait that chance adds, so that events that failed together spread.
const JITTER: f64 = 0.2;
/// The longest wait that a destination can ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);
/// Failures in a row that pause a destination.
pub const PAUSE_AFTER: u32 = 5;
/// Time between two attempts at a paused destination.
pub const PROBE_INTERVAL: Duration = Duration::from_mins(5);

/// Returns the wait before the next attempt of an event that failed this often, or `None` after the last attempt. `chance` is
/// from 0 to 1. A destination can ask for a longer wait.
#[must_use]
pub fn next_wait(failures: u32, retry_after: Option<Duration>, chance: f64) -> Option<Duration> {
    let wait = WAITS.get(usize::try_from(failures).ok()?)?;
    let wait = wait.mul_f64(1.0 + JITTER * chance.clamp(0.0, 1.0));
    Some(retry_after.map_or(wait, |asked| wait.max(bounded(asked))))
}

/// Returns a wait that a destination asks for, at most 24 hours.
#[must_use]
pub fn bounded(retry_after: Duration) -> Duration {
    retry_after.min(MAX_RETRY_AFTER)
}

/// Failures in a row of a destination, over all its events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Failed attempts in a row.
    pub failures: u32,
    /// True while it is paused.
    pub is_paused: bool,
}

/// The result of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The destination has the event.
    Delivered,
    /// It does not.
    Failed,
    /// It does not, for a reason that is no further failure of the destination: it wants fewer requests (429), or the attempt
    /// was in flight when an earlier one failed.
    Postponed,
    /// The destination does not want events any more.
    Refused,
}

impl Standing {
    /// Counts an attempt: five failures in a row pause a destination, a refusal pauses it at once, and a success resumes it.
    /// Returns whether the attempt counts for its event. An attempt at a paused destination does not, nor one that pauses it by
    /// a refusal.
    pub fn count(&mut self, attempt: Attempt) -> bool {
        let was_paused = self.is_paused;
        match attempt {
            Attempt::Delivered => *self = Self::default(),
            Attempt::Failed => {
                self.failures = self.failures.saturating_add(1);
                self.is_paused |= self.failures >= PAUSE_AFTER;
            }
            Attempt::Postponed => {}
            Attempt::Refused => {
                self.failures = self.failures.saturating_add(1);
                self.is_paused = true;
            }
        }
        attempt == Attempt::Delivered || (!was_paused && attempt != Attempt::Refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600;

    #[test]
    fn eleven_attempts_take_75_hours() {
        let waits: Vec<u64> = (0..20)
            .map_while(|failures| next_wait(failures, None, 0.0))
            .map(|wait| wait.as_secs())
            .collect();
        assert_eq!(waits.len(), 11);
        assert_eq!(waits[..6], [0, 5, 60, 300, 1_800, 2 * HOUR]);
        assert_eq!(waits[6..], [5, 10, 14, 20, 24].map(|hours| hours * HOUR));
        assert_eq!(waits.iter().sum::<u64>() / HOUR, 75);
    }

    #[test]
    fn chance_adds_at_most_a_fifth() {
        for (chance, seconds) in [(-1.0, 60), (0.0, 60), (0.5, 66), (1.0, 72), (9.0, 72)] {
            let wait = next_wait(2, None, chance);
            assert_eq!(wait.map(|wait| wait.as_secs()), Some(seconds));
        }
    }

    #[test]
    fn a_destination_can_ask_for_more_and_not_for_less() {
        let asked = |seconds| next_wait(2, Some(Duration::from_secs(seconds)), 0.0);
        assert_eq!(asked(1), Some(Duration::from_mins(1)));
        assert_eq!(asked(90), Some(Duration::from_secs(90)));
        assert_eq!(asked(u64::MAX), Some(Duration::from_hours(24)));
        assert_eq!(next_wait(11, Some(Duration::from_secs(90)), 0.0), None);
    }

    #[test]
    fn five_failures_in_a_row_pause_and_a_success_resumes() {
        let mut standing = Standing::default();
        for _ in 0..4 {
            assert!(standing.count(Attempt::Failed));
        }
        assert!(standing.count(Attempt::Delivered));
        for _ in 0..5 {
            assert!(!standing.is_paused);
            assert!(standing.count(Attempt::Failed));
        }
        assert!(standing.is_paused);
        assert!(!standing.count(Attempt::Failed), "no attempt is used up");
        assert!(standing.count(Attempt::Delivered));
        assert_eq!(standing, Standing::default());
    }

    #[test]
    fn a_refusal_pauses_at_once() {
        let mut standing = Standing::default();
        assert!(!standing.count(Attempt::Refused), "no attempt is used up");
        assert!(standing.is_paused);
    }
}
