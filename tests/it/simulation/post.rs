//! The senders' state: requests, signing keys, answers, and what is still to be retried.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::model::Facts;
use super::ops::{Record, Source};

/// How far a BambooHR timestamp may be from now.
const FRESHNESS: TimeDelta = TimeDelta::hours(3);

/// Headers as they were sent.
pub(super) type Headers = Vec<(&'static str, String)>;

/// A body that was sent at least once.
pub(super) struct Body {
    pub(super) source: Source,
    pub(super) content_type: &'static str,
    pub(super) bytes: Vec<u8>,
    /// Whom it is about and what it says; nothing for what is no letter.
    pub(super) says: Option<(Record, Facts)>,
    /// The time that its entry bears.
    pub(super) as_of: Option<DateTime<Utc>>,
    pub(super) attempts: Vec<Attempt>,
}

/// One sending of a body.
#[derive(Clone)]
pub(super) struct Attempt {
    pub(super) at: DateTime<Utc>,
    pub(super) signed_at: DateTime<Utc>,
    pub(super) key: u32,
    pub(super) headers: Headers,
    pub(super) acknowledged: bool,
}

/// The keys of one source, by number.
#[derive(Clone, Copy, Default)]
pub(super) struct Keys {
    pub(super) sender: u32,
    pub(super) service: u32,
    pub(super) takes_previous: bool,
}

impl Keys {
    pub(super) fn accepts(self, key: u32) -> bool {
        key == self.service || (self.takes_previous && key + 1 == self.service)
    }
}

/// The text of a key.
pub(super) fn key(source: Source, number: u32) -> String {
    format!("the-{}-key-of-the-simulation-{number:04}", source.name())
}

#[derive(Default)]
pub(super) struct Post {
    pub(super) bodies: Vec<Body>,
    by_bytes: HashMap<Vec<u8>, usize>,
    /// Which body a delivery is. One that was forgotten comes again under another id.
    pub(super) by_delivery: HashMap<String, usize>,
    /// Sent and not acknowledged: to be sent again.
    pub(super) unanswered: HashSet<usize>,
    as_ofs: HashSet<(Record, DateTime<Utc>)>,
}

impl Post {
    /// The moment, or the last one before it as of which nothing was said yet of this employee: what wins among facts
    /// of the same moment is nobody's promise.
    pub(super) fn unused(&mut self, of: Record, mut as_of: DateTime<Utc>) -> DateTime<Utc> {
        while !self.as_ofs.insert((of, as_of)) {
            as_of -= TimeDelta::seconds(1);
        }
        as_of
    }

    /// The number of a body, which is a new one or has been sent before.
    pub(super) fn body(&mut self, body: Body) -> usize {
        let number = self.bodies.len();
        let known = *self.by_bytes.entry(body.bytes.clone()).or_insert(number);
        if known == number {
            self.bodies.push(body);
        }
        known
    }

    /// Returns whether a body was acknowledged before.
    pub(super) fn is_known(&self, number: usize) -> bool {
        self.bodies[number].attempts.iter().any(|a| a.acknowledged)
    }
}

/// What the service must answer to what it can store.
pub(super) fn expected(source: Source, keys: Keys, attempt: &Attempt) -> u16 {
    let fresh = source == Source::Merge || attempt.at - attempt.signed_at <= FRESHNESS;
    if keys.accepts(attempt.key) && fresh {
        200
    } else {
        401
    }
}
