//! Parsers of ids on the command line. Each names the command that shows valid ones.

use uuid::Uuid;

/// Parses the id of a hold.
pub(super) fn hold(text: &str) -> Result<i64, &'static str> {
    number(text).ok_or("it is no id of a hold; `leaver holds list` shows them")
}

/// Parses the id of a trip of the safeguard.
pub(super) fn trip(text: &str) -> Result<i64, &'static str> {
    number(text).ok_or("it is no id of a trip; `leaver safeguard` shows them")
}

/// Parses the id of a restore.
pub(super) fn restore(text: &str) -> Result<i64, &'static str> {
    number(text).ok_or("it is no id of a restore; `leaver restores` shows them")
}

/// Parses the id of a delivery.
pub(super) fn delivery(text: &str) -> Result<Uuid, &'static str> {
    let id = Uuid::try_parse(text.trim());
    id.map_err(|_| "it is no id of a delivery; `leaver deliveries` shows them")
}

/// Parses the id of an event.
pub(super) fn event(text: &str) -> Result<Uuid, &'static str> {
    let id = Uuid::try_parse(text.trim());
    id.map_err(|_| "it is no id of an event; `leaver events` shows them")
}

/// Parses the id of a batch of changes.
pub(super) fn batch(text: &str) -> Result<Uuid, &'static str> {
    let id = Uuid::try_parse(text.trim());
    id.map_err(|_| "it is no id of a batch; `leaver undo --since TIME` shows them")
}

/// Parses the id of a webhook at BambooHR.
pub(super) fn webhook(text: &str) -> Result<String, &'static str> {
    let id = text.trim();
    // A longer number is none of BambooHR's.
    let is_id = (1..=20).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit());
    is_id
        .then(|| id.to_owned())
        .ok_or("it is no id of a webhook; `leaver webhooks list` shows them")
}

fn number(text: &str) -> Option<i64> {
    text.trim().parse().ok().filter(|id| *id > 0)
}
