//! Refuses a secret with two purposes: who has it for one could use it for the other.

use super::{SettingsError, invalid};
use leaver_core::signature::Key;

/// A secret that is in use, as a key.
pub(super) struct Used {
    /// The setting or variable that holds it.
    pub(super) setting: String,
    pub(super) purpose: Purpose,
    pub(super) key: Key,
}

/// The use of a secret.
#[derive(PartialEq, Eq)]
pub(super) enum Purpose {
    /// The webhooks of this source.
    Webhooks(String),
    /// A provider's API. Several sources may read one.
    Api,
    /// The API of this service.
    AdminToken,
    /// The collector of traces.
    Traces,
    /// Hashes of facts.
    HashKey,
    /// Events for this destination.
    Destination(String),
}

/// Fails for the first secret that has a second purpose.
pub(super) fn refuse_shared(used: &[Used]) -> Result<(), SettingsError> {
    for (n, later) in used.iter().enumerate() {
        let earlier = used.iter().take(n);
        let same = earlier
            .filter(|earlier| earlier.purpose != later.purpose)
            .find(|earlier| earlier.key.signs_like(&later.key));
        let Some(earlier) = same else { continue };
        let effect = match (&earlier.purpose, &later.purpose) {
            (Purpose::Webhooks(_), Purpose::Webhooks(_)) => {
                "a delivery of one source would be valid for the other"
            }
            _ => "who has it for one purpose could use it for the other",
        };
        return Err(invalid(
            &later.setting,
            &format!(
                "it holds the same secret as `{}`, so {effect}; give each its own",
                earlier.setting
            ),
        ));
    }
    Ok(())
}

/// Returns the settings of a source that hold a key which stands before them in the same source, each with the earlier one.
pub(super) fn repeated(used: &[Used]) -> Vec<(&str, &str)> {
    let mut found = vec![];
    for (n, later) in used.iter().enumerate() {
        let is_webhook = matches!(later.purpose, Purpose::Webhooks(_));
        let mut earlier = used.iter().take(n);
        let same = earlier
            .find(|earlier| earlier.purpose == later.purpose && earlier.key.signs_like(&later.key));
        if let Some(same) = same.filter(|_| is_webhook) {
            found.push((later.setting.as_str(), same.setting.as_str()));
        }
    }
    found
}
