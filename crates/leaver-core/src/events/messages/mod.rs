//! Events as messages for people, by e-mail or in a channel. Many events make one message.
//!
//! A trip of the safeguard, and what needs somebody now, is a message of its own and goes out at once. All others go into
//! a digest: at once for the first, then at most every [`DIGEST_INTERVAL`].

mod digest;
mod groups;
mod lines;
mod single;
mod trips;
mod words;

use std::fmt::Debug;

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use self::groups::Group;
use super::Event;
#[cfg(test)]
use super::EventType;

/// Least time between two digests of a destination.
pub const DIGEST_INTERVAL: TimeDelta = TimeDelta::minutes(10);

/// A message for people.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// One line: the subject of an e-mail.
    pub subject: String,
    /// The text, in lines. It does not repeat the subject.
    pub text: String,
    /// The events that it reports.
    pub events: Vec<Uuid>,
    /// True if the next digest waits [`DIGEST_INTERVAL`] after it. The time at which it was sent is `last_digest_at` then.
    pub delays_digest: bool,
}

/// Rules by which messages are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// True if texts name people.
    pub has_names: bool,
    /// URL of the service. The texts have no link until there are pages that one can lead to.
    pub public_url: Option<String>,
    /// When a message with `delays_digest` was last sent.
    pub last_digest_at: Option<DateTime<Utc>>,
    /// The time.
    pub now: DateTime<Utc>,
}

/// Messages to send now, and events that wait for the next digest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Messages, in the order in which they are sent.
    pub messages: Vec<Message>,
    /// Events that wait.
    pub wait: Vec<Uuid>,
    /// Until when they wait. `None` if none does.
    pub wait_until: Option<DateTime<Utc>>,
}

/// Plans the messages for events of one destination. Each event is in one message, or waits.
#[must_use]
pub fn plan(events: &[Event], rules: &Rules) -> Plan {
    let mut plan = Plan::default();
    for (group, events) in groups::of(events) {
        let content = match group {
            Group::Trip(trip) => trips::tripped(&trip, &events, rules),
            Group::TripClosed(trip) => trips::closed(&trip, &events, rules),
            Group::Single(kind) => single::content(&kind, &events, rules),
            Group::Test => single::test(&events, rules),
            Group::Digest => {
                if let Some(until) = rules.next_digest_at() {
                    plan.wait.extend(events.iter().map(|event| event.id));
                    plan.wait_until = Some(until);
                    continue;
                }
                digest::content(&events, rules)
            }
        };
        plan.messages.push(content.into_message(&events));
    }
    plan
}

impl Rules {
    /// Returns when the next digest may be sent, if that is not now.
    fn next_digest_at(&self) -> Option<DateTime<Utc>> {
        // A time in the future comes from a clock that was set back. It must not delay a message.
        let last = self.last_digest_at.filter(|last| *last <= self.now)?;
        Some(last + DIGEST_INTERVAL).filter(|next| *next > self.now)
    }
}

impl Message {
    /// Returns an identifier of ASCII letters, digits, `-` and `.`. It is the same for each attempt with the same events.
    #[must_use]
    pub fn key(&self) -> String {
        let mut ids = self.events.clone();
        ids.sort_unstable();
        let first = ids.first().copied().unwrap_or_default();
        if ids.len() < 2 {
            return first.to_string();
        }
        let mut digest = Sha256::new();
        for id in ids {
            digest.update(id.as_bytes());
        }
        let digest = hex::encode(digest.finalize());
        format!("{first}.{}", digest.get(..16).unwrap_or_default())
    }
}

impl Debug for Message {
    /// Leaves out the texts: they can name people.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Message");
        shown.field("events", &self.events).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
