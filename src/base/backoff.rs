//! How long to wait before the next attempt: doubled after each failure, up to a cap, with jitter where many wait at once.
//!
//! | where | first wait | cap | jitter | why |
//! |---|---|---|---|---|
//! | a delivery that failed alone | 2 s | 5 min | up to a quarter more | outlasts a deployment; deliveries that failed together spread |
//! | a delivery whose account is locked | 2 s | 10 s | up to a quarter more | an attempt waits for the lock for 100 ms only |
//! | a blocked deactivation | 5 s | 1 h | up to a quarter more | a person has to change the database; blocked accounts spread |
//! | a pending read of an employee | 5 s | 10 min | none | at most 4 reads run at a time; a provider can ask for more |
//! | a request to a provider | per client | 30 s | full | many clients share a provider's limit |
//! | the database at start, and for a delivery worker | 200 ms | 3.2 s | none | one cheap query per attempt |
//! | the insert of deliveries | 25 ms | 400 ms | none | senders wait for it, 5 s by default |
//! | a connection that ends lost backends | 10 ms | 250 ms | none | other connections wait for it |
//! | a background job after a panic | 1 s | 1 min | none | a defect that repeats must not fill the log |

use std::time::Duration;

/// Waits that double from `base` up to `cap`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    /// The wait after the first failure.
    pub base: Duration,
    /// The longest wait, before jitter.
    pub cap: Duration,
    /// How chance changes a wait.
    pub jitter: Jitter,
}

/// How chance changes a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Jitter {
    /// Not at all.
    None,
    /// Adds up to a quarter.
    Quarter,
    /// Takes any share of the wait, down to nothing ("full jitter").
    Full,
}

/// Waits for the database.
pub(crate) const DATABASE: Backoff = Backoff {
    base: Duration::from_millis(200),
    cap: Duration::from_millis(3_200),
    jitter: Jitter::None,
};

impl Backoff {
    /// Returns the wait after this many failures in a row; 0 counts as 1. `chance` is from 0 to 1.
    #[must_use]
    pub(crate) fn wait(&self, failures: u32, chance: f64) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let wait = self.base.saturating_mul(1 << doublings).min(self.cap);
        let chance = chance.clamp(0.0, 1.0);
        match self.jitter {
            Jitter::None => wait,
            Jitter::Quarter => wait + (wait / 4).mul_f64(chance),
            Jitter::Full => wait.mul_f64(chance),
        }
    }

    /// Returns the wait after failures that began this long ago. Each wait is about as long as all waits before it.
    #[must_use]
    pub(crate) fn wait_since_first(&self, elapsed: Duration, chance: f64) -> Duration {
        let doublings = (elapsed.as_millis() / self.base.as_millis().max(1) + 1).ilog2();
        self.wait(doublings + 1, chance)
    }

    /// Returns [`Self::wait`] with a random chance.
    #[must_use]
    pub(crate) fn random_wait(&self, failures: u32) -> Duration {
        self.wait(failures, fastrand::f64())
    }
}

/// Returns a wait of three to five quarters of `wait`, so that replicas do not poll at the same moment.
#[must_use]
pub(crate) fn spread(wait: Duration) -> Duration {
    wait.mul_f64(0.75 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backoff(jitter: Jitter) -> Backoff {
        Backoff {
            base: Duration::from_secs(2),
            cap: Duration::from_mins(5),
            jitter,
        }
    }

    #[test]
    fn waits_double_up_to_the_cap() {
        let seconds = |failures| backoff(Jitter::None).wait(failures, 1.0).as_secs();
        let waits: Vec<u64> = (1..=10).map(seconds).collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(seconds(0), 2);
        assert_eq!(seconds(u32::MAX), 300);
    }

    #[test]
    fn waits_since_the_first_failure_double_up_to_the_cap() {
        let (mut elapsed, mut waits) = (Duration::ZERO, vec![]);
        for _ in 0..10 {
            let wait = backoff(Jitter::None).wait_since_first(elapsed, 0.0);
            waits.push(wait.as_secs());
            elapsed += wait;
        }
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    }

    #[test]
    fn a_quarter_of_jitter_only_adds() {
        let backoff = backoff(Jitter::Quarter);
        for (chance, seconds) in [
            (-1.0, 8.0),
            (0.0, 8.0),
            (0.5, 9.0),
            (1.0, 10.0),
            (2.0, 10.0),
        ] {
            assert_eq!(backoff.wait(3, chance), Duration::from_secs_f64(seconds));
        }
    }

    #[test]
    fn full_jitter_takes_any_share() {
        let backoff = backoff(Jitter::Full);
        for (chance, seconds) in [(0.0, 0), (0.25, 2), (1.0, 8)] {
            assert_eq!(backoff.wait(3, chance), Duration::from_secs(seconds));
        }
    }

    #[test]
    fn random_waits_stay_within_their_bounds() {
        let (mut shortest, mut longest) = (Duration::MAX, Duration::ZERO);
        for _ in 0..1_000 {
            let wait = backoff(Jitter::Quarter).random_wait(1);
            (shortest, longest) = (shortest.min(wait), longest.max(wait));
            let poll = spread(Duration::from_secs(4));
            assert!((Duration::from_secs(3)..=Duration::from_secs(5)).contains(&poll));
        }
        assert!(shortest >= Duration::from_secs(2) && longest <= Duration::from_millis(2_500));
        assert!(longest.abs_diff(shortest) > Duration::from_millis(250));
    }
}
