//! Counts clients whose connection was closed or answered 503 for others, and logs one line a minute.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{Duration, Instant};

/// Least time between two lines.
const PAUSE: Duration = Duration::from_mins(1);

/// Why a client was rejected.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr, strum::VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Reason {
    /// It was waited for longest, and another client needed the slot.
    Evicted,
    /// Its address had as many slots as an unknown one may have.
    PeerLimit,
    /// It was idle while most slots were taken.
    Idle,
    /// The memory of its body was needed.
    Memory,
    /// The process had no descriptor for another connection.
    NoDescriptor,
    /// No slot was free, and none of the other clients could be closed.
    NoSlot,
}

impl Reason {
    /// Returns the label of the metric.
    pub(crate) fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Rejected clients since the last line.
#[derive(Debug, Default)]
pub(super) struct Rejected {
    counts: BTreeMap<Reason, u64>,
    last_line: Option<Instant>,
}

impl Rejected {
    pub(super) fn count(&mut self, reason: Reason) {
        *self.counts.entry(reason).or_default() += 1;
    }

    /// Returns the number of clients and the reasons, if a line is due.
    pub(super) fn line(&mut self, now: Instant) -> Option<(u64, String)> {
        let is_early = self
            .last_line
            .is_some_and(|last| now.saturating_duration_since(last) < PAUSE);
        if self.counts.is_empty() || is_early {
            return None;
        }
        self.last_line = Some(now);
        let mut reasons = String::new();
        for (reason, count) in &self.counts {
            let comma = if reasons.is_empty() { "" } else { ", " };
            // Writing to a `String` does not fail.
            let _ = write!(reasons, "{comma}{} {count}", reason.as_str());
        }
        let total = std::mem::take(&mut self.counts).into_values().sum();
        Some((total, reasons))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejected_clients_make_one_line_a_minute() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut rejected = Rejected::default();
        assert_eq!(rejected.line(start), None);
        rejected.count(Reason::Evicted);
        let line = |total, reasons: &str| Some((total, reasons.to_owned()));
        assert_eq!(rejected.line(start), line(1, "evicted 1"));
        for _ in 0..500 {
            rejected.count(Reason::NoSlot);
            rejected.count(Reason::Evicted);
        }
        assert_eq!(rejected.line(after(59)), None);
        assert_eq!(
            rejected.line(after(60)),
            line(1_000, "evicted 500, no_slot 500")
        );
        assert_eq!(rejected.line(after(200)), None);
    }
}
