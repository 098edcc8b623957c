//! Section `[safeguard]`. It has no variables of its own.

use std::time::Duration;

use serde::Deserialize;

use super::values::ConfigDuration;
use super::{Provenance, SettingsError};
use leaver_core::safeguard::{Limit, Limits, SourceMode};

/// Limits on the number of accounts that are changed.
#[derive(Debug, Clone)]
pub struct SafeguardSettings {
    /// The mode in which a source starts when it is first seen, unless it has its own.
    pub mode: SourceMode,
    /// The limits.
    pub limits: Limits,
    /// How long a list that was shown to a person can be confirmed; at least 1 ms.
    pub approval_expires: Duration,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSafeguard {
    pub(super) mode: SourceMode,
    hour: RawLimit,
    day: RawLimit,
    approvers: u32,
    approval_expires: ConfigDuration,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimit {
    floor: u32,
    percent: u32,
}

impl RawLimit {
    fn build(&self, key: &str, provenance: &Provenance) -> Result<Limit, SettingsError> {
        let percent = u8::try_from(self.percent).ok();
        let percent = percent.filter(|percent| (1..=50).contains(percent));
        let Some(percent) = percent else {
            let problem = "it must be 1 to 50; the safeguard is always on";
            return Err(provenance.invalid_setting(&format!("{key}.percent"), problem));
        };
        Ok(Limit {
            floor: self.floor,
            percent,
        })
    }
}

impl RawSafeguard {
    pub(super) fn build(
        &self,
        provenance: &Provenance,
    ) -> Result<SafeguardSettings, SettingsError> {
        match self.approvers {
            1 => {}
            2 => {
                let problem = "2 needs people who sign in, and sign-in is not configured; set 1";
                return Err(provenance.invalid_setting("safeguard.approvers", problem));
            }
            _ => {
                let problem = "it must be 1 or 2";
                return Err(provenance.invalid_setting("safeguard.approvers", problem));
            }
        }
        Ok(SafeguardSettings {
            mode: self.mode,
            limits: Limits {
                hour: self.hour.build("safeguard.hour", provenance)?,
                day: self.day.build("safeguard.day", provenance)?,
            },
            approval_expires: provenance
                .require_duration("safeguard.approval_expires", self.approval_expires)?,
        })
    }
}
