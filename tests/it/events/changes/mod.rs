//! Events about accounts, holds, trips, drift and sources.

mod accounts;
mod commands;
mod drift;
#[cfg(feature = "failpoints")]
mod faults;
mod holds;
mod random;
mod schemas;
mod shadow;
mod sources;
mod statements;
mod structure;
mod trips;

use leaver::base::clock::Clock as _;
use serde_json::Value;

use crate::support::TestApp;
use crate::support::events::{changes_without_event, documented};

/// The patterns of all events of this module, without those of sources and drift.
const CHANGES: &str = "account.*, hold.*, safeguard.*";

impl TestApp {
    /// Fails on a change without an event, and on an event without a change. The destination must want all of [`CHANGES`].
    async fn changes_have_events(&mut self) {
        let differences = changes_without_event(&mut self.session).await;
        assert_eq!(differences, [""; 0]);
    }

    /// Returns the time of the clock, in whole seconds.
    fn clock_text(&self) -> String {
        let format = chrono::SecondsFormat::Secs;
        self.clock.now().to_rfc3339_opts(format, true)
    }

    /// Returns the events of one type, oldest first.
    async fn events_of(&mut self, kind: &str) -> Vec<Value> {
        let mut events = self.events().await;
        events.retain(|event| event["type"] == kind);
        events
    }
}

/// Fails if an event and the example of its type differ in their keys.
#[track_caller]
fn assert_like_example(event: &Value) {
    let keys = |value: &Value| -> Vec<String> {
        let object = value.as_object();
        object.into_iter().flat_map(|o| o.keys().cloned()).collect()
    };
    let kind = event["type"].as_str().unwrap();
    let example = documented(&format!("{kind}.example.json"));
    for part in ["", "/data", "/details"] {
        let of = |value: &Value| value.pointer(part).map(keys).unwrap_or_default();
        assert_eq!(of(event), of(&example), "{kind}{part}");
    }
}
