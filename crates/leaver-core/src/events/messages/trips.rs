//! Messages about trips of the safeguard.

use super::Rules;
use super::lines::{Content, Lines, address};
use super::words::{count, is_shadow, mark, number_of, of_tenants, value_of};
use crate::events::{Event, EventType};

/// Returns the message about a trip and the changes that it holds.
pub(super) fn tripped(trip: &str, events: &[&Event], rules: &Rules) -> Content {
    let (holds, trips) = split(events, EventType::HoldOpened);
    let word = match trips
        .first()
        .and_then(|trip| value_of(trip, "direction"))
        .as_deref()
    {
        Some("reactivated") => "reactivation",
        _ => "deactivation",
    };
    let counted = trips.first().and_then(|trip| number_of(trip, "held"));
    let counted = counted
        .and_then(|held| usize::try_from(held).ok())
        .unwrap_or(0);
    let held = count(counted.max(holds.len()), word);
    let of = of_tenants(events);
    let mut lines = Lines::default();
    lines.add(&format!("The safeguard tripped (trip {trip}). It holds {held}{of}, and all further ones, until a person decides."));
    if let Some(limit) = trips.first().and_then(|trip| limit(trip, word)) {
        lines.add(&limit);
    }
    lines.add(if word == "deactivation" {
        "These people keep access until then."
    } else {
        "These people get no access until then."
    });
    shadow_note(events, &mut lines);
    lines.add("");
    lines.act(&[
        ("Who and why", &format!("leaver safeguard release {trip}")),
        (
            "If the list is right",
            &format!("leaver safeguard release {trip} --confirm DIGEST"),
        ),
        ("If it is wrong", &format!("leaver safeguard reject {trip}")),
    ]);
    if rules.has_names && !holds.is_empty() {
        lines.add("");
        list_names(
            &mut lines,
            &holds,
            &format!("leaver safeguard release {trip}"),
            rules,
        );
    }
    Content {
        subject: format!("{}The safeguard stopped {held}{of}", mark(events)),
        text: lines.into_text(),
        // More changes of the trip can come at once, one transaction each. They go into the next digest.
        delays_digest: !holds.is_empty(),
    }
}

/// Returns the message about a trip that a person closed.
pub(super) fn closed(trip: &str, events: &[&Event], rules: &Rules) -> Content {
    let (holds, trips) = split(events, EventType::HoldClosed);
    let of = of_tenants(events);
    let is_rejected = trips
        .first()
        .and_then(|trip| value_of(trip, "state"))
        .as_deref()
        == Some("rejected");
    let (state, effect) = if is_rejected {
        ("rejected", "The changes that it held are not made.")
    } else {
        (
            "released",
            "Each change that it held is decided again and carried out.",
        )
    };
    let mut lines = Lines::default();
    lines.add(&format!("A person {state} trip {trip}{of}. {effect}"));
    if !holds.is_empty() {
        lines.add(&format!("{} closed.", count(holds.len(), "hold")));
    }
    shadow_note(events, &mut lines);
    lines.add("");
    lines.act(&[
        ("The trip", "leaver safeguard"),
        ("What was done", "leaver audit"),
    ]);
    if rules.has_names && !holds.is_empty() {
        lines.add("");
        list_names(&mut lines, &holds, "leaver audit", rules);
    }
    Content {
        subject: format!("{}Trip {trip}{of} was {state}", mark(events)),
        text: lines.into_text(),
        delays_digest: false,
    }
}

fn split<'e>(events: &[&'e Event], kind: EventType) -> (Vec<&'e Event>, Vec<&'e Event>) {
    events.iter().partition(|event| event.kind == kind.as_str())
}

/// Returns the sentence about the limit that was exceeded.
fn limit(trip: &Event, word: &str) -> Option<String> {
    let changes = count(
        usize::try_from(number_of(trip, "window_count")?).ok()?,
        word,
    );
    let limit = number_of(trip, "limit_count")?;
    let population = number_of(trip, "population").filter(|population| *population > 0);
    let accounts = population.map_or(String::new(), |population| {
        format!(" of {population} accounts")
    });
    Some(match value_of(trip, "limited_by")?.as_str() {
        "hour" => format!("{changes} within 60 minutes; the limit is {limit}{accounts}."),
        "day" => format!("{changes} within 24 hours; the limit is {limit}{accounts}."),
        "grant" => format!("{changes} under a grant of {limit}."),
        _ => format!("{changes}; the limit is {limit}{accounts}."),
    })
}

fn shadow_note(events: &[&Event], lines: &mut Lines) {
    if is_shadow(events) {
        lines.add("The source is in shadow mode: no account is changed.");
    }
}

fn list_names(lines: &mut Lines, holds: &[&Event], command: &str, rules: &Rules) {
    lines.list(holds, command, |event| {
        let id = event.employee_id.as_deref().map(super::words::one_line);
        match (address(event, rules), id) {
            (Some(address), Some(id)) => format!("{address} (employee {id})"),
            (Some(address), None) => address,
            (None, id) => format!("employee {}", id.unwrap_or_default()),
        }
    });
}
