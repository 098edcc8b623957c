//! Section `[inbox]`. It has no variables of its own.

use std::time::Duration;

use serde::Deserialize;

use super::values::ConfigDuration;
use super::{Provenance, SettingsError};

/// BambooHR's webhook log reaches back this far and is compared with the deliveries that we remember.
const MIN_RETENTION: Duration = Duration::from_hours(14 * 24);

/// Retention of deliveries.
#[derive(Debug, Clone)]
pub struct InboxSettings {
    /// How long the body of a failed delivery is kept.
    pub failed_body_retention: Duration,
    /// How long a settled delivery is kept without its body; at least 14 days.
    pub delivery_retention: Duration,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawInbox {
    failed_retention: ConfigDuration,
    retention: ConfigDuration,
}

impl RawInbox {
    pub(super) fn build(&self, provenance: &Provenance) -> Result<InboxSettings, SettingsError> {
        provenance.require_minimum("inbox.retention", self.retention.0 >= MIN_RETENTION, "14d")?;
        Ok(InboxSettings {
            failed_body_retention: self.failed_retention.0,
            delivery_retention: self.retention.0,
        })
    }
}
