//! Sources that have gone silent. A webhook dies without an error when whoever made it leaves the company, so a
//! source that sends nothing for longer than it ever would is worth a look (`max_silence`).

pub mod store;
mod monitor;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

pub use self::monitor::SilenceMonitor;
pub use crate::ingest::SilenceThreshold;

/// Since when a source is silent, where that is longer than it may be. Silence is counted from its last delivery,
/// or, when it never sent any, from the time that it was first configured.
#[must_use]
pub fn silent_since(
    alarm: Option<Duration>,
    last_delivery_at: Option<DateTime<Utc>>,
    listening_since: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let alarm = TimeDelta::from_std(alarm?).ok()?;
    last_delivery_at
        .or(listening_since)
        .filter(|heard| now - *heard > alarm)
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
