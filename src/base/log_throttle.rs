//! Limits log lines about refused signatures to one per second and source: forged requests must not fill the disk.
//! `leaver_webhook_signature_failures_total` counts all of them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use leaver_core::domain::SourceName;

/// Least time between two lines about one source.
const PAUSE: Duration = Duration::from_secs(1);

/// Last line and number of suppressed ones, by source.
#[derive(Debug, Default)]
pub struct LogThrottle(Mutex<HashMap<SourceName, LastLine>>);

#[derive(Debug)]
struct LastLine {
    at: Instant,
    suppressed: u64,
}

impl LogThrottle {
    /// Returns `None` when no line is due. Otherwise returns how many were suppressed since the last one.
    pub(crate) fn check(&self, source: &SourceName, now: Instant) -> Option<u64> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match lines.get_mut(source) {
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
                lines.insert(source.clone(), first);
                Some(0)
            }
        }
    }
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests {
    use super::*;

    #[test]
    fn allows_one_line_a_second_and_counts_the_others() {
        let (throttle, source) = (LogThrottle::default(), SourceName::parse("merge").unwrap());
        let other = SourceName::parse("bamboohr").unwrap();
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        assert_eq!(throttle.check(&source, start), Some(0));
        for ms in 1..=500 {
            assert_eq!(throttle.check(&source, after(ms)), None);
        }
        assert_eq!(throttle.check(&other, after(600)), Some(0));
        assert_eq!(throttle.check(&source, after(1_000)), Some(500));
        assert_eq!(throttle.check(&source, after(2_500)), Some(0));
    }
}
