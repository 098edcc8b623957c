//! Which events make one message.

use std::collections::{BTreeMap, BTreeSet};

use super::words::{text_of, value_of};
use crate::events::{Event, EventType};

/// Subject of a message, in the order in which messages are sent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Group {
    /// A trip of the safeguard, with the changes that it holds.
    Trip(String),
    /// A trip that a person released or rejected, with its holds.
    TripClosed(String),
    /// Events of one type that somebody should see at once.
    Single(String),
    /// Events of a test.
    Test,
    /// All others.
    Digest,
}

/// Types that get a message of their own: each is rare, and somebody has to act.
const SINGLE: [EventType; 4] = [
    EventType::DriftFound,
    EventType::SourceSilent,
    EventType::SourceUnhealthy,
    EventType::DestinationPaused,
];

/// Groups events. Those of a group keep their order.
pub(super) fn of(events: &[Event]) -> BTreeMap<Group, Vec<&Event>> {
    let trips_with = |kind: EventType| -> BTreeSet<String> {
        let of_kind = events.iter().filter(|event| event.kind == kind.as_str());
        of_kind
            .filter_map(|event| value_of(event, "trip_id"))
            .collect()
    };
    let tripped = trips_with(EventType::SafeguardTripped);
    let closed = trips_with(EventType::SafeguardReleased);
    let mut groups: BTreeMap<Group, Vec<&Event>> = BTreeMap::new();
    for event in events {
        let group = of_one(event, &tripped, &closed);
        groups.entry(group).or_default().push(event);
    }
    groups
}

fn of_one(event: &Event, tripped: &BTreeSet<String>, closed: &BTreeSet<String>) -> Group {
    if event.data.get("test").and_then(serde_json::Value::as_bool) == Some(true) {
        return Group::Test;
    }
    let trip = value_of(event, "trip_id");
    match event.kind.parse() {
        Ok(EventType::SafeguardTripped) => Group::Trip(trip.unwrap_or_default()),
        Ok(EventType::SafeguardReleased) => Group::TripClosed(trip.unwrap_or_default()),
        Ok(EventType::HoldOpened) => match trip.filter(|trip| tripped.contains(trip)) {
            Some(trip) => Group::Trip(trip),
            None => Group::Digest,
        },
        Ok(EventType::HoldClosed) => match trip.filter(|trip| closed.contains(trip)) {
            Some(trip) => Group::TripClosed(trip),
            None => Group::Digest,
        },
        Ok(kind) if SINGLE.contains(&kind) => Group::Single(text_of(kind)),
        _ => Group::Digest,
    }
}
