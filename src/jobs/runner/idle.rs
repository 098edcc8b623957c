//! Waits of a job that has nothing to do. A database at rest should be able to sleep, so the job queries it seldom.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::base::clock::Clock;

/// The longest time between two queries. Work of a process that ended without a message is found after it.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// The time by the clock, which can be set, and by a timer, which cannot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    clock: DateTime<Utc>,
    instant: Instant,
}

impl Now {
    /// Takes the time of this clock.
    pub(crate) fn of(clock: &dyn Clock) -> Self {
        Self {
            clock: clock.now(),
            instant: Instant::now(),
        }
    }
}

/// Remembers when a job last found nothing to do, and when it expects something.
///
/// The clock is compared in memory, at each tick of the job, so a clock that is set forward delays nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct IdleWait {
    found_nothing: Option<FoundNothing>,
    /// Queries in a row that found nothing.
    rounds: u32,
}

#[derive(Clone, Debug)]
struct FoundNothing {
    queried_at: Instant,
    next_due: Option<DateTime<Utc>>,
}

impl IdleWait {
    /// Lets the next tick query the database: a message arrived, or the last tick found something or failed.
    pub(crate) fn end(&mut self) {
        self.found_nothing = None;
        self.rounds = 0;
    }

    /// Begins a wait until something is due. What is due already is in work elsewhere, and is looked up again soon.
    pub(crate) fn begin(&mut self, next_due: Option<DateTime<Utc>>, now: Now) {
        self.rounds = match next_due {
            Some(due) if due <= now.clock => 1,
            _ => self.rounds.saturating_add(1),
        };
        self.found_nothing = Some(FoundNothing {
            queried_at: now.instant,
            next_due: next_due.filter(|due| *due > now.clock),
        });
    }

    /// Returns true if the database need not be queried yet. The waits double from `poll_interval` to 30 s while messages
    /// arrive; without them each is `poll_interval`.
    pub(crate) fn is_idle(
        &self,
        poll_interval: Duration,
        is_listening: &AtomicBool,
        now: Now,
    ) -> bool {
        let Some(found) = &self.found_nothing else {
            return false;
        };
        if found.next_due.is_some_and(|due| due <= now.clock) {
            return false;
        }
        let wait = if is_listening.load(Ordering::Relaxed) {
            let doublings = self.rounds.saturating_sub(1).min(31);
            let doubled = poll_interval.saturating_mul(1 << doublings);
            doubled.min(MAX_WAIT.max(poll_interval))
        } else {
            poll_interval
        };
        now.instant.saturating_duration_since(found.queried_at) < wait
    }

    /// Returns the time until the next tick: `poll_interval`, or less if something is due before.
    pub(crate) fn tick_after(&self, poll_interval: Duration, now: Now) -> Duration {
        let due = self.found_nothing.as_ref().and_then(|found| found.next_due);
        let until_due = due.map(|due| (due - now.clock).to_std().unwrap_or_default());
        until_due.map_or(poll_interval, |until_due| until_due.min(poll_interval))
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    const POLL: Duration = Duration::from_secs(1);

    impl Now {
        fn start() -> Self {
            Self {
                clock: DateTime::UNIX_EPOCH,
                instant: Instant::now(),
            }
        }

        fn after(self, milliseconds: u32) -> Self {
            let passed = Duration::from_millis(milliseconds.into());
            Self {
                clock: self.clock + passed,
                instant: self.instant + passed,
            }
        }
    }

    /// Returns after how many whole seconds the next query comes.
    fn seconds_until_query(idle: &IdleWait, is_listening: bool, from: Now) -> u32 {
        let is_listening = AtomicBool::new(is_listening);
        let mut seconds = 0;
        while idle.is_idle(POLL, &is_listening, from.after(seconds * 1_000)) {
            seconds += 1;
        }
        seconds
    }

    #[test]
    fn waits_double_up_to_thirty_seconds_while_messages_arrive() {
        let (mut idle, now) = (IdleWait::default(), Now::start());
        assert_eq!(seconds_until_query(&idle, true, now), 0);
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            idle.begin(None, now);
            assert_eq!(seconds_until_query(&idle, true, now), seconds);
        }
        idle.end();
        assert_eq!(seconds_until_query(&idle, true, now), 0);
        idle.begin(None, now);
        assert_eq!(seconds_until_query(&idle, true, now), 1);
    }

    #[test]
    fn without_messages_each_wait_is_the_poll_interval() {
        let (mut idle, now) = (IdleWait::default(), Now::start());
        for _ in 0..5 {
            idle.begin(None, now);
            assert_eq!(seconds_until_query(&idle, false, now), 1);
        }
    }

    #[test]
    fn a_wait_ends_when_something_is_due() {
        let (mut idle, now) = (IdleWait::default(), Now::start());
        for _ in 0..6 {
            idle.begin(None, now);
        }
        idle.begin(Some(now.clock + TimeDelta::seconds(7)), now);
        assert_eq!(seconds_until_query(&idle, true, now), 7);
        let due = now.after(300);
        idle.begin(Some(due.clock), now);
        assert_eq!(idle.tick_after(POLL, now), Duration::from_millis(300));
        assert!(!idle.is_idle(POLL, &AtomicBool::new(true), due));
        // The clock is set forward, and no time has passed.
        let forward = Now {
            clock: due.clock,
            ..now
        };
        assert!(!idle.is_idle(POLL, &AtomicBool::new(true), forward));
    }

    #[test]
    fn work_that_is_due_and_locked_is_looked_up_soon() {
        let (mut idle, now) = (IdleWait::default(), Now::start());
        for _ in 0..6 {
            idle.begin(Some(now.clock), now);
            assert_eq!(seconds_until_query(&idle, true, now), 1);
        }
    }
}
