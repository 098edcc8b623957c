//! Section `[events]`.

use std::time::Duration;

use serde::Deserialize;

use super::values::ConfigDuration;
use super::{Provenance, SettingsError};

/// Settings of events.
#[derive(Debug, Clone)]
pub struct EventsSettings {
    /// How long an event is kept after it is done or dead at each destination.
    pub retention: Duration,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEvents {
    retention: ConfigDuration,
}

/// Least retention: `leaver events recover` needs a past.
const MIN_RETENTION: Duration = Duration::from_hours(24);

impl RawEvents {
    pub(super) fn build(&self, provenance: &Provenance) -> Result<EventsSettings, SettingsError> {
        if self.retention.0 < MIN_RETENTION {
            return Err(provenance.invalid_setting("events.retention", "it must be at least 1d"));
        }
        Ok(EventsSettings {
            retention: self.retention.0,
        })
    }
}
