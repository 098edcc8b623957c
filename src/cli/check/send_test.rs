//! `leaver check --send-test`: one event or message that is marked as a test.

use std::time::Instant;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::super::output;
use super::destinations::check_name;
use super::{CheckReport, CheckStatus};
use crate::base::clock::{Clock, SystemClock};
use crate::config::Settings;
use crate::connect::destinations::{Client, Destination, Outgoing, SendError};
use leaver_core::events::messages::Message;
use leaver_core::events::{Event, EventType};

/// Id of the employee and of the account in a test event.
const NOBODY: &str = "test";

/// Sends a test to the destination with this name, and adds a line about the outcome.
pub(super) async fn send_test(report: &mut CheckReport, settings: &Settings, name: &str) {
    let mut destinations = settings.destinations.iter();
    let Some(destination) = destinations.find(|one| one.name() == name) else {
        let names: Vec<&str> = settings
            .destinations
            .iter()
            .map(Destination::name)
            .collect();
        let known = if names.is_empty() {
            "add one in [[destinations]]".to_owned()
        } else {
            format!("configured: {}", names.join(", "))
        };
        let text = format!("`{name}` is no destination; {known}");
        return report.add(CheckStatus::Error, "--send-test", text);
    };
    let client = match Client::new(destination) {
        Ok(client) => client,
        Err(error) => {
            let text = format!("the test was not sent: {}", output::chain(&error));
            return report.add(CheckStatus::Error, &check_name(name), text);
        }
    };
    let (now, started) = (SystemClock.now(), Instant::now());
    let event = event(settings, now);
    let sent = if destination.is_for_people() {
        client
            .send(Outgoing::Message(&message(name, event.id)), now)
            .await
    } else {
        client.send(Outgoing::Event(&event), now).await
    };
    let (status, text) = match sent {
        Ok(status) => {
            let elapsed = started.elapsed().as_millis();
            let text = format!(
                "the test {} was accepted with status {status} after {elapsed} ms",
                event.id
            );
            (CheckStatus::Ok, text)
        }
        Err(error) => {
            let text = format!("the test {} failed: {}", event.id, advice(&error));
            (CheckStatus::Error, text)
        }
    };
    report.add(status, &check_name(name), text);
}

/// Returns a failure with what to do.
fn advice(error: &SendError) -> String {
    let advice = match error {
        SendError::Status {
            status: 401 | 403, ..
        } => "; compare the keys of both sides, and the clocks",
        SendError::Status {
            status: 300..=399, ..
        } => "; redirects are not followed, so set the address that it leads to",
        SendError::Status {
            status: 404 | 405, ..
        } => "; correct the path in `url`",
        SendError::Gone => "; correct `url`, or remove the destination",
        SendError::Status { .. } => "; the log of the receiver has the reason",
        SendError::Unreachable(_) => "; correct `url`, or let connections to it through",
        SendError::Refused(_) | SendError::Unusable(_) => "",
    };
    format!("{error}{advice}")
}

/// Returns an event about nobody: `data.test` is true.
fn event(settings: &Settings, now: DateTime<Utc>) -> Event {
    let source = settings.sources.first();
    let source = source.map_or(NOBODY, |source| source.name.as_str());
    let data = json!({
        "account_id": NOBODY,
        "batch_id": Uuid::now_v7(),
        "cause": "cli",
        "effective_at": null,
        "provider_at": null,
        "received_at": null,
        "test": true,
    });
    let data = match data {
        Value::Object(data) => data,
        _ => Map::new(),
    };
    Event {
        id: Uuid::now_v7(),
        kind: EventType::AccountDeactivated.as_str().to_owned(),
        timestamp: now,
        source: Some(source.to_owned()),
        tenant: Some(NOBODY.to_owned()),
        employee_id: Some(NOBODY.to_owned()),
        sequence: Some(1),
        shadow: false,
        data,
        details: None,
    }
}

fn message(name: &str, event: Uuid) -> Message {
    Message {
        subject: "Test of Leaver".to_owned(),
        text: format!(
            "This is a test. Nothing happened.\n`leaver check --send-test {name}` sent it to the destination {name}."
        ),
        events: vec![event],
        delays_digest: false,
    }
}
