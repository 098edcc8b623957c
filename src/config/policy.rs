//! Section `[policy]`: the defaults of every source's policy. It has no variables of its own.

use std::collections::HashMap;

use serde::Deserialize;

use super::values::{ConfigTimezone, MaxSilence};
use leaver_core::decision::policy::{Cutoff, OnUncertain, Rehire, SourcesDisagree};
use leaver_core::domain::Provider;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPolicy {
    pub(super) timezone: ConfigTimezone,
    pub(super) cutoff: Cutoff,
    pub(super) inactive_without_date: OnUncertain,
    pub(super) rehire: Rehire,
    pub(super) sources_disagree: SourcesDisagree,
    pub(super) max_silence: MaxSilence,
    pub(super) deleted: HashMap<Provider, OnUncertain>,
}

impl RawPolicy {
    /// Returns the policy for records that this provider has deleted. The default depends on the provider.
    pub(super) fn deleted(&self, provider: Provider) -> OnUncertain {
        match self.deleted.get(&provider) {
            Some(policy) => *policy,
            None if provider.capabilities().deletion_means_departure => OnUncertain::Deactivate,
            None => OnUncertain::Hold,
        }
    }
}
