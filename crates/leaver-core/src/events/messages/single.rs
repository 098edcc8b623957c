//! Messages about events of one type that somebody should see at once.

use super::Rules;
use super::lines::{Content, Lines, origin, person};
use super::words::{count, is_shadow, mark, number_of, of_tenants, one_line, text_of, value_of};
use crate::events::{Event, EventType};

/// Returns the message about events of one type.
pub(super) fn content(kind: &str, events: &[&Event], rules: &Rules) -> Content {
    let mut lines = Lines::default();
    let subject = match kind.parse() {
        Ok(EventType::DriftFound) => drift(events, &mut lines),
        Ok(EventType::SourceSilent) => silent(events, &mut lines),
        Ok(EventType::SourceUnhealthy) => unhealthy(events, &mut lines),
        Ok(EventType::DestinationPaused) => paused(events, &mut lines),
        _ => {
            lines.list(events, "leaver events", |event| person(event, rules));
            format!("{} {}", events.len(), one_line(kind))
        }
    };
    if is_shadow(events) {
        lines.add("The source is in shadow mode: no account is changed.");
    }
    Content {
        subject: format!("{}{subject}", mark(events)),
        text: lines.into_text(),
        delays_digest: false,
    }
}

fn drift(events: &[&Event], lines: &mut Lines) -> String {
    let found = events
        .iter()
        .filter_map(|event| number_of(event, "terminated_with_access"));
    let found = usize::try_from(found.max().unwrap_or(0)).unwrap_or(usize::MAX);
    let (people, have) = match found {
        1 => ("1 terminated employee".to_owned(), "has"),
        _ => (count(found, "terminated employee"), "have"),
    };
    lines.add(&format!(
        "A drift check found {people}{} with access.",
        of_tenants(events)
    ));
    let new = events
        .iter()
        .filter_map(|event| number_of(event, "new"))
        .max();
    if let Some(new) = new.filter(|new| *new > 0) {
        lines.add(&format!("The check before did not find {new} of them."));
    }
    let fixed = events
        .iter()
        .filter_map(|event| number_of(event, "fixed"))
        .max();
    if let Some(fixed) = fixed.filter(|fixed| *fixed > 0) {
        lines.add(&format!("It deactivated {fixed} of them."));
    }
    lines.add("");
    lines.act(&[
        ("Who and why", "leaver drift"),
        ("To end their access", "leaver drift --fix"),
    ]);
    format!("{people} still {have} access")
}

fn silent(events: &[&Event], lines: &mut Lines) -> String {
    lines.add("No webhook came for longer than `max_silence`. People who left since may still have access:");
    lines.list(events, "leaver health", |event| {
        let since =
            value_of(event, "since").map_or(String::new(), |since| format!(", since {since}"));
        format!("source {}{since}", source(event))
    });
    lines.add("");
    lines.act(&[
        ("The webhook at the provider", "leaver webhooks"),
        ("To read what was missed", "leaver sync"),
    ]);
    match sources(events).as_slice() {
        [one] => format!("The source {one} is silent"),
        several => format!("{} sources are silent", several.len()),
    }
}

fn unhealthy(events: &[&Event], lines: &mut Lines) -> String {
    lines.add("People who leave may be found late:");
    lines.list(events, "leaver health", |event| {
        let part = |key, before: &str| {
            let value = value_of(event, key);
            value.map_or(String::new(), |value| format!("{before}{value}"))
        };
        [
            format!("source {}", source(event)),
            part("part", ", "),
            part("code", ", "),
            part("since", ", since "),
            part("reason", ": "),
        ]
        .concat()
    });
    lines.add("");
    lines.act(&[
        ("The cause", "leaver health"),
        ("Each setting", "leaver check"),
    ]);
    match sources(events).as_slice() {
        [one] => format!("The source {one} has a problem"),
        several => format!("{} sources have a problem", several.len()),
    }
}

fn paused(events: &[&Event], lines: &mut Lines) -> String {
    let name = |event: &Event| {
        value_of(event, "destination").unwrap_or_else(|| "a destination".to_owned())
    };
    lines.add("A destination takes no events. They wait, and none is lost. It is tried again every 5 minutes:");
    lines.list(events, "leaver events", |event| {
        let reason = ["because", "reason", "last_error"]
            .iter()
            .find_map(|key| value_of(event, key));
        let reason = reason.map_or(String::new(), |reason| format!(": {reason}"));
        format!("{}{reason}", name(event))
    });
    lines.add("");
    let first = events.first().map_or(String::new(), |event| name(event));
    lines.act(&[
        ("What waits", "leaver events"),
        ("To try it now", &format!("leaver events resume {first}")),
    ]);
    match events {
        [one] => format!("Events for {} wait", name(one)),
        several => format!("Events for {} wait", count(several.len(), "destination")),
    }
}

/// Returns the message of a test.
pub(super) fn test(events: &[&Event], rules: &Rules) -> Content {
    let mut lines = Lines::default();
    lines.add("This is a test. Nothing happened, and nothing is to be done.");
    lines.list(events, "leaver events", |event| {
        format!("{}: {}", one_line(&event.kind), person(event, rules))
    });
    Content {
        subject: "[test] Messages of Leaver arrive".to_owned(),
        text: lines.into_text(),
        delays_digest: false,
    }
}

fn source(event: &Event) -> String {
    match &event.source {
        Some(source) => one_line(source),
        None => origin(event).trim().to_owned(),
    }
}

fn sources(events: &[&Event]) -> Vec<String> {
    let mut names: Vec<String> = events.iter().map(|event| source(event)).collect();
    names.sort();
    names.dedup();
    names
}

/// Returns the subject of a section about a type that has no words of its own.
pub(super) fn type_words(kind: &str) -> String {
    kind.parse::<EventType>()
        .map_or_else(|_| one_line(kind), text_of)
}
