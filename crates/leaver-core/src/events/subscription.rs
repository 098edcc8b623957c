//! Which destination wants which events.

use std::collections::BTreeSet;

use super::EventType;

/// The events that one destination wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Name of the destination.
    pub destination: String,
    /// The types.
    pub types: BTreeSet<EventType>,
    /// True if it receives personal values.
    pub wants_details: bool,
}

/// The events that any destination wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscriptions {
    all: Vec<Subscription>,
    notifies: bool,
}

impl Subscriptions {
    /// Collects the subscriptions of all destinations.
    #[must_use]
    pub fn new(subscriptions: impl IntoIterator<Item = Subscription>) -> Self {
        Self {
            all: subscriptions.into_iter().collect(),
            notifies: false,
        }
    }

    /// Returns the same, for a process that records events and sends none: it notifies those that do.
    #[must_use]
    pub fn notifying(self) -> Self {
        Self {
            notifies: true,
            ..self
        }
    }

    /// Returns whether other processes are notified of events.
    #[must_use]
    pub fn notifies(&self) -> bool {
        self.notifies
    }

    /// Returns whether no destination wants anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.iter().all(|one| one.types.is_empty())
    }

    /// Returns whether a destination wants events of this type.
    #[must_use]
    pub fn wants(&self, kind: EventType) -> bool {
        self.destinations_of(kind).next().is_some()
    }

    /// Returns whether a destination wants one of these types.
    #[must_use]
    pub fn wants_any(&self, is_meant: impl Fn(EventType) -> bool) -> bool {
        let mut wanted = self.all.iter().flat_map(|one| &one.types);
        wanted.any(|kind| is_meant(*kind))
    }

    /// Returns whether a destination that wants events of this type receives personal values.
    #[must_use]
    pub fn wants_details(&self, kind: EventType) -> bool {
        let mut wanting = self.all.iter().filter(|one| one.types.contains(&kind));
        wanting.any(|one| one.wants_details)
    }

    /// Returns the destinations that want events of this type.
    pub fn destinations_of(&self, kind: EventType) -> impl Iterator<Item = &str> {
        let wanting = self.all.iter().filter(move |one| one.types.contains(&kind));
        wanting.map(|one| one.destination.as_str())
    }

    /// Returns the names of all destinations.
    pub fn destinations(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|one| one.destination.as_str())
    }
}
