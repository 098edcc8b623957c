//! Section `[policy]`: the defaults of every source's policy. It has no variables of its own.

use serde::Deserialize;

use super::values::{ConfigTimezone, MaxSilence};
use leaver_core::decision::policy::{Cutoff, OnUncertain, Rehire};
use leaver_core::domain::Provider;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPolicy {
    pub(super) timezone: ConfigTimezone,
    pub(super) cutoff: Cutoff,
    pub(super) inactive_without_date: OnUncertain,
    pub(super) rehire: Rehire,
    pub(super) max_silence: MaxSilence,
    pub(super) deleted: RawDeleted,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDeleted {
    bamboohr: OnUncertain,
    merge: OnUncertain,
}

impl RawDeleted {
    /// Returns the policy for records that this provider has deleted.
    pub(super) fn of(&self, provider: Provider) -> OnUncertain {
        match provider {
            Provider::BambooHr => self.bamboohr,
            Provider::Merge => self.merge,
        }
    }
}
