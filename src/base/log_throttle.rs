//! Tells of refused signatures, not more than a line a second for each source: whoever floods us with forgeries gets no
//! hold of our disk. The counter has all of them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use leaver_core::domain::SourceName;

/// Between two lines about one source.
const PAUSE: Duration = Duration::from_secs(1);

/// Which sources were told of lately.
#[derive(Debug, Default)]
pub struct LogThrottle(Mutex<HashMap<SourceName, Told>>);

#[derive(Debug)]
struct Told {
    at: Instant,
    passed_over: u64,
}

impl LogThrottle {
    /// Whether to tell of this one, and then how many were passed over since the last line.
    pub(crate) fn tell(&self, source: &SourceName, now: Instant) -> Option<u64> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match told.get_mut(source) {
            Some(last) if now.duration_since(last.at) < PAUSE => {
                last.passed_over += 1;
                None
            }
            Some(last) => {
                last.at = now;
                Some(std::mem::take(&mut last.passed_over))
            }
            None => {
                let first = Told {
                    at: now,
                    passed_over: 0,
                };
                told.insert(source.clone(), first);
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
    fn of_a_flood_one_line_a_second_is_told_and_the_rest_is_counted() {
        let (refusals, source) = (LogThrottle::default(), SourceName::parse("merge").unwrap());
        let other = SourceName::parse("bamboohr").unwrap();
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        assert_eq!(refusals.tell(&source, start), Some(0));
        for ms in 1..=500 {
            assert_eq!(refusals.tell(&source, after(ms)), None);
        }
        assert_eq!(refusals.tell(&other, after(600)), Some(0));
        assert_eq!(refusals.tell(&source, after(1_000)), Some(500));
        assert_eq!(refusals.tell(&source, after(2_500)), Some(0));
    }
}
