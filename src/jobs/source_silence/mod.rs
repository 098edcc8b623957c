//! Detects sources that stopped sending. A provider's webhook stops without an error when the user who made it is
//! deactivated, so a source that is silent for longer than `max_silence` degrades health.

pub mod store;
mod monitor;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use leaver_core::domain::SourceName;

pub use self::monitor::SilenceMonitor;

/// How long a source may be silent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SilenceThreshold {
    /// The source.
    pub source: SourceName,
    /// The longest silence that is normal; `None` if any is.
    pub after: Option<Duration>,
}

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
