//! Section `[drift]`. It has no variables of its own.

use std::time::Duration;

use serde::Deserialize;

use super::values::ConfigDuration;
use super::{Provenance, SettingsError};
use leaver_core::decision::policy::DriftMode;

/// The periodic comparison of roster and accounts.
#[derive(Debug, Clone)]
pub struct DriftSettings {
    /// Action on access that should have ended.
    pub mode: DriftMode,
    /// Time between two comparisons; at least 1 ms.
    pub interval: Duration,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDrift {
    mode: DriftMode,
    interval: ConfigDuration,
}

impl RawDrift {
    pub(super) fn build(&self, provenance: &Provenance) -> Result<DriftSettings, SettingsError> {
        Ok(DriftSettings {
            mode: self.mode,
            interval: provenance.require_duration("drift.interval", self.interval)?,
        })
    }
}
