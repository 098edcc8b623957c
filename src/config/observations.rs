//! Section `[observations]`. It has no variables of its own.

use std::time::Duration;

use serde::Deserialize;

use super::values::ConfigDuration;
use super::{Provenance, SettingsError};

const MIN_RETENTION: Duration = Duration::from_hours(24);

/// Recorded observations.
#[derive(Debug, Clone)]
pub struct ObservationsSettings {
    /// How long they are kept; at least a day.
    pub retention: Duration,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawObservations {
    retention: ConfigDuration,
}

impl RawObservations {
    pub(super) fn build(
        &self,
        provenance: &Provenance,
    ) -> Result<ObservationsSettings, SettingsError> {
        let is_enough = self.retention.0 >= MIN_RETENTION;
        provenance.require_minimum("observations.retention", is_enough, "1d")?;
        Ok(ObservationsSettings {
            retention: self.retention.0,
        })
    }
}
