//! Section `[events]`.

use std::time::Duration;

use serde::Deserialize;

use super::secrets::SecretReader;
use super::values::{ConfigDuration, SecretRef};
use super::{Provenance, SettingsError};
use leaver_core::domain::PositionFact;
use leaver_core::providers::PositionFacts;

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
    facts: Vec<String>,
    hash_key: SecretRef,
}

/// Least retention: `leaver events recover` needs a past.
const MIN_RETENTION: Duration = Duration::from_hours(24);

impl RawEvents {
    /// Returns the observed facts about the position, with the key if it is in the scope of the command.
    pub(super) fn position(
        &self,
        secrets: &SecretReader<'_>,
        provenance: &Provenance,
    ) -> Result<PositionFacts, SettingsError> {
        let mut facts = vec![];
        for name in &self.facts {
            let fact: PositionFact = name.parse().map_err(|_| {
                let names: Vec<&str> = PositionFact::ALL.iter().map(|fact| fact.as_str()).collect();
                let problem = format!("a fact is none of {}; correct it", names.join(", "));
                provenance.invalid_setting("events.facts", problem)
            })?;
            if !facts.contains(&fact) {
                facts.push(fact);
            }
        }
        if self.hash_key.0.is_empty() {
            if facts.is_empty() {
                return Ok(PositionFacts::default());
            }
            return Err(provenance.invalid_setting(
                "events.hash_key",
                "`events.facts` needs it; make a key with `openssl rand -hex 32`, and set a reference such as \"env:LEAVER_HASH_KEY\"",
            ));
        }
        let key = secrets.hash_key("events.hash_key", &self.hash_key, !facts.is_empty())?;
        Ok(PositionFacts::new(facts, key))
    }

    pub(super) fn build(&self, provenance: &Provenance) -> Result<EventsSettings, SettingsError> {
        if self.retention.0 < MIN_RETENTION {
            return Err(provenance.invalid_setting("events.retention", "it must be at least 1d"));
        }
        Ok(EventsSettings {
            retention: self.retention.0,
        })
    }
}
