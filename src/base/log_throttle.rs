//! Limits log lines about refused requests to one per second and source: forged requests must not fill the disk.
//! `leaver_webhook_signature_failures_total` and `leaver_requests_unrouted_total` count all of them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Least time between two lines about one subject.
const PAUSE: Duration = Duration::from_secs(1);

/// Last line and number of suppressed ones, by subject.
#[derive(Debug, Default)]
pub struct LogThrottle(Mutex<HashMap<String, LastLine>>);

#[derive(Debug)]
struct LastLine {
    at: Instant,
    suppressed: u64,
}

impl LogThrottle {
    /// Returns `None` when no line is due about this subject, such as the name of a source. Otherwise returns how many were
    /// suppressed since the last one. There must be few subjects.
    pub(crate) fn check(&self, subject: &str, now: Instant) -> Option<u64> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match lines.get_mut(subject) {
            Some(last) if now.duration_since(last.at) < PAUSE => {
                last.suppressed += 1;
                None
            }
            Some(last) => {
                last.at = now;
                Some(std::mem::take(&mut last.suppressed))
            }
            None => {
                let first = LastLine {
                    at: now,
                    suppressed: 0,
                };
                lines.insert(subject.to_owned(), first);
                Some(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allows_one_line_a_second_and_counts_the_others() {
        let (throttle, source, other) = (LogThrottle::default(), "merge", "bamboohr");
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        assert_eq!(throttle.check(source, start), Some(0));
        for ms in 1..=500 {
            assert_eq!(throttle.check(source, after(ms)), None);
        }
        assert_eq!(throttle.check(other, after(600)), Some(0));
        assert_eq!(throttle.check(source, after(1_000)), Some(500));
        assert_eq!(throttle.check(source, after(2_500)), Some(0));
    }
}
