//! The digest: holds, changes of accounts and news of employees, in one message.

use std::collections::{BTreeMap, BTreeSet};

use super::Rules;
use super::lines::{Content, Lines, person};
use super::single::type_words;
use super::words::{by_tenant, count, mark, of_tenants, value_of};
use crate::events::{Event, EventType};

/// Events of one type, and of one trip, in one mode. The order is that of the digest.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    rank: usize,
    kind: String,
    trip: Option<String>,
    is_shadow: bool,
}

/// Types in the order of the digest: first those that somebody has to act on. Others follow.
const ORDER: [EventType; 6] = [
    EventType::HoldOpened,
    EventType::AccountBlocked,
    EventType::HoldClosed,
    EventType::AccountDeactivated,
    EventType::AccountReactivated,
    EventType::AccountRestored,
];

/// Returns the digest of events.
pub(super) fn content(events: &[&Event], rules: &Rules) -> Content {
    let mut sections: BTreeMap<Key, Vec<&Event>> = BTreeMap::new();
    let closed: BTreeSet<String> = events
        .iter()
        .filter(|event| is(event, EventType::HoldClosed))
        .filter_map(|event| value_of(event, "hold_id"))
        .collect();
    for event in events {
        // A hold that was closed in the meantime is reported only as closed.
        let is_closed = || value_of(event, "hold_id").is_some_and(|id| closed.contains(&id));
        if !is(event, EventType::HoldOpened) || !is_closed() {
            sections.entry(key(event)).or_default().push(event);
        }
    }
    let mut lines = Lines::default();
    let mut headlines = vec![];
    for (key, events) in &sections {
        let headline = format!("{}{}", mark(events), headline(key, events));
        // The subject has it already if there is no other.
        if sections.len() > 1 {
            lines.add(&format!("{headline}."));
        }
        if let Some(tenants) = by_tenant(events) {
            lines.add(&format!("By company: {tenants}."));
        }
        section(key, events, &mut lines, rules);
        lines.add("");
        headlines.push(headline);
    }
    let mut subject = headlines.first().cloned().unwrap_or_default();
    match headlines.len().saturating_sub(1) {
        0 => {}
        1 => subject += ", and another kind of event",
        others => subject = format!("{subject}, and {others} other kinds of events"),
    }
    Content {
        subject,
        text: lines.into_text(),
        delays_digest: true,
    }
}

fn is(event: &Event, kind: EventType) -> bool {
    event.kind == kind.as_str()
}

fn key(event: &Event) -> Key {
    let rank = ORDER.iter().position(|kind| is(event, *kind));
    let is_hold = is(event, EventType::HoldOpened);
    Key {
        rank: rank.unwrap_or(ORDER.len()),
        kind: event.kind.clone(),
        trip: value_of(event, "trip_id").filter(|_| is_hold),
        is_shadow: event.shadow,
    }
}

fn headline(key: &Key, events: &[&Event]) -> String {
    let of = of_tenants(events);
    let number = events.len();
    let are = |one: &str, several: &str| {
        if number == 1 {
            one.to_owned()
        } else {
            several.to_owned()
        }
    };
    let changes = count(number, "change");
    let accounts = count(number, "account");
    let employees = count(number, "employee");
    match key.kind.parse() {
        Ok(EventType::HoldOpened) => match &key.trip {
            Some(trip) => format!(
                "{changes}{of} {} by trip {trip} of the safeguard",
                are("is held", "are held")
            ),
            None => format!("{changes}{of} {} for a decision", are("waits", "wait")),
        },
        Ok(EventType::AccountBlocked) => format!("The database did not carry out {changes}{of}"),
        Ok(EventType::HoldClosed) => format!(
            "{}{of} {} closed",
            count(number, "hold"),
            are("was", "were")
        ),
        Ok(EventType::AccountDeactivated) => {
            format!("{accounts}{of} {} deactivated", are("was", "were"))
        }
        Ok(EventType::AccountReactivated) => {
            format!("{accounts}{of} {} reactivated", are("was", "were"))
        }
        Ok(EventType::AccountRestored) => {
            format!("{accounts}{of} {} restored by an undo", are("was", "were"))
        }
        Ok(EventType::EmployeeTerminated) => format!("{employees}{of} left"),
        Ok(EventType::EmployeeCreated) => format!("{employees}{of} {} added", are("was", "were")),
        Ok(EventType::EmployeeRehired) => format!("{employees}{of} {} rehired", are("was", "were")),
        Ok(EventType::EmployeeDeleted) => {
            format!("The HR system deleted {}{of}", count(number, "record"))
        }
        Ok(EventType::EmployeeTerminationScheduled) => format!("{employees}{of} will leave"),
        Ok(EventType::EmployeeTerminationCancelled) => format!("{employees}{of} will not leave"),
        Ok(EventType::EmployeePositionChanged) => format!("{employees}{of} changed position"),
        Ok(EventType::EmployeeDepartmentChanged) => format!("{employees}{of} changed department"),
        Ok(EventType::EmployeeManagerChanged) => format!("{employees}{of} changed manager"),
        _ => format!("{}{of}: {}", count(number, "event"), type_words(&key.kind)),
    }
}

fn section(key: &Key, events: &[&Event], lines: &mut Lines, rules: &Rules) {
    let plain = |event: &Event| person(event, rules);
    let with_reason = |event: &Event| match value_of(event, "reason") {
        Some(reason) => format!("{}: {reason}", person(event, rules)),
        None => person(event, rules),
    };
    match key.kind.parse() {
        Ok(EventType::HoldOpened) => {
            if let Some(trip) = &key.trip {
                if rules.has_names {
                    lines.list(events, "leaver holds", plain);
                }
                lines.act(&[("Who and why", &format!("leaver safeguard release {trip}"))]);
                return;
            }
            lines.list(events, "leaver holds", |event| {
                let hold =
                    value_of(event, "hold_id").map_or(String::new(), |id| format!("hold {id}, "));
                let action = value_of(event, "requested_action")
                    .map_or(String::new(), |action| format!("{action} "));
                format!("{hold}{action}{}", with_reason(event))
            });
            lines.act(&[
                ("Who and why", "leaver holds"),
                ("To make one", "leaver holds approve ID"),
                ("To drop one", "leaver holds reject ID"),
            ]);
        }
        Ok(EventType::AccountBlocked) => {
            lines.list(events, "leaver drift", with_reason);
            lines.add("It is tried again.");
            lines.act(&[("Who and why", "leaver drift")]);
        }
        Ok(EventType::HoldClosed) => lines.list(events, "leaver audit", |event| {
            let hold = value_of(event, "hold_id").map_or(String::new(), |id| format!("hold {id} "));
            let state = value_of(event, "state").unwrap_or_else(|| "closed".to_owned());
            format!("{hold}{state}, {}", person(event, rules))
        }),
        _ => lines.list(events, "leaver audit", plain),
    }
}
