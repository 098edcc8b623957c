//! Detects sources that stopped sending. A provider's webhook stops without an error when the user who made it is
//! deactivated, so a source that is silent for longer than `max_silence` degrades health.

pub mod store;
mod monitor;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

pub use self::monitor::SilenceMonitor;
pub use crate::ingest::SilenceThreshold;

/// Returns since when a source is silent, if that is longer than the threshold. The silence begins with the last
/// delivery, or with the source's first configuration if it never sent one.
#[must_use]
pub fn silent_since(
    threshold: Option<Duration>,
    last_delivery_at: Option<DateTime<Utc>>,
    listening_since: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let threshold = TimeDelta::from_std(threshold?).ok()?;
    last_delivery_at
        .or(listening_since)
        .filter(|since| now - *since > threshold)
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
