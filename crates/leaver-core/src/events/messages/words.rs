//! Values of events as words of a message.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::domain::printable;
use crate::events::{Event, EventType};

/// Longest text of one value, in characters.
const LONGEST: usize = 300;

pub(super) fn text_of(kind: EventType) -> String {
    kind.as_str().to_owned()
}

/// Returns a text or a number of `data`, on one line.
pub(super) fn value_of(event: &Event, key: &str) -> Option<String> {
    match event.data.get(key)? {
        Value::String(text) if !text.is_empty() => Some(one_line(text)),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Returns a number of `data`.
pub(super) fn number_of(event: &Event, key: &str) -> Option<u64> {
    event.data.get(key).and_then(Value::as_u64)
}

/// Returns a text on one line, cut where it is long.
pub(super) fn one_line(text: &str) -> String {
    let text = printable(text);
    if text.chars().count() <= LONGEST {
        return text.into_owned();
    }
    text.chars().take(LONGEST).chain(['…']).collect()
}

/// Returns a number with its word: `1 change`, `2 changes`.
pub(super) fn count(number: usize, word: &str) -> String {
    match number {
        1 => format!("1 {word}"),
        _ => format!("{number} {word}s"),
    }
}

/// Returns ` of acme`, ` of 3 companies` or nothing.
pub(super) fn of_tenants(events: &[&Event]) -> String {
    let tenants: BTreeSet<&str> = events.iter().filter_map(|e| e.tenant.as_deref()).collect();
    match tenants.first() {
        None => String::new(),
        Some(tenant) if tenants.len() == 1 => format!(" of {}", one_line(tenant)),
        Some(_) => format!(" of {} companies", tenants.len()),
    }
}

/// Returns how many events each company has, if there are several companies; the most first.
pub(super) fn by_tenant(events: &[&Event]) -> Option<String> {
    const SHOWN: usize = 5;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for tenant in events.iter().filter_map(|event| event.tenant.as_deref()) {
        *counts.entry(tenant).or_default() += 1;
    }
    if counts.len() < 2 {
        return None;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let others = counts.len().saturating_sub(SHOWN);
    let mut shown: Vec<String> = counts
        .iter()
        .take(SHOWN)
        .map(|(tenant, count)| format!("{} {count}", one_line(tenant)))
        .collect();
    if others > 0 {
        shown.push(format!("{others} more"));
    }
    Some(shown.join(", "))
}

/// Returns the start of the subject of events that are all from shadow mode.
pub(super) fn mark(events: &[&Event]) -> &'static str {
    if is_shadow(events) { "[shadow] " } else { "" }
}

/// Returns whether all events are from shadow mode.
pub(super) fn is_shadow(events: &[&Event]) -> bool {
    !events.is_empty() && events.iter().all(|event| event.shadow)
}
