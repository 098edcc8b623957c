//! Section `[pending_reads]`. It has no variables of its own.

use std::time::Duration;

use serde::Deserialize;

use super::values::ConfigDuration;
use super::{Provenance, SettingsError};

/// Reads of employees for whom a change was reported without values.
#[derive(Debug, Clone)]
pub struct PendingReadsSettings {
    /// How long a read fails permanently before a person has to decide; at least 1 ms.
    pub give_up_after: Duration,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPendingReads {
    give_up_after: ConfigDuration,
}

impl RawPendingReads {
    pub(super) fn build(
        &self,
        provenance: &Provenance,
    ) -> Result<PendingReadsSettings, SettingsError> {
        let key = "pending_reads.give_up_after";
        Ok(PendingReadsSettings {
            give_up_after: provenance.require_duration(key, self.give_up_after)?,
        })
    }
}
