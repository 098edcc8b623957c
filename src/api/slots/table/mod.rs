//! The open connections of a listener, and the order in which they are closed for others.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::peers::{KnownPeers, Peer};
use super::rejected::Reason;

/// A client is not closed for one that is trusted no more before it has been waited for this long: its bytes may be on their
/// way.
pub(super) const GRACE: Duration = Duration::from_millis(250);
/// The same for one that is trusted more, and while many new connections wait for a slot.
pub(super) const SHORT_GRACE: Duration = Duration::from_millis(20);
/// Longest wait for a client without a good signature while most slots are taken.
const IDLE_UNDER_PRESSURE: Duration = Duration::from_secs(2);
/// Known clients that have been idle for less keep their slots when unknown ones connect.
const KNOWN_MAY_IDLE: Duration = Duration::from_secs(1);

/// How much was shown by the client of a connection. The least is closed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trust {
    /// No good signature has come from its address.
    Unknown,
    /// Its address has sent a good signature, over another connection.
    Known,
    /// This connection has carried a good signature.
    Verified,
}

/// Which side has to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The service.
    Busy,
    /// The client: to send a request, or to take a response.
    Waiting,
    /// The client: to send the body of a request.
    Receiving,
}

/// One open connection.
#[derive(Debug)]
pub(super) struct Entry {
    /// The client of the current request, otherwise the other end of the connection.
    pub(super) peer: Peer,
    /// The other end, if it is a trusted proxy.
    pub(super) proxy: Option<Peer>,
    pub(super) trust: Trust,
    pub(super) phase: Phase,
    /// When the client's current work began: at the accept, at a response, at the head of a request with a body. Further
    /// bytes do not change it.
    pub(super) since: Instant,
    /// Memory of the body.
    pub(super) bytes: usize,
    pub(super) evicted: CancellationToken,
}

/// Limits of the slots of a listener.
#[derive(Clone, Copy, Debug)]
pub(super) struct TableLimits {
    /// Connections at a time.
    pub(super) slots: usize,
    /// Of these, slots that only known peers get.
    pub(super) reserved: usize,
    /// Slots of one unknown peer.
    pub(super) per_peer: usize,
}

impl TableLimits {
    pub(super) fn of(slots: usize) -> Self {
        Self {
            slots,
            reserved: slots / 4,
            per_peer: (slots / 4).max(8),
        }
    }
}

/// All open connections of a listener, by number.
#[derive(Debug)]
pub(super) struct Table {
    limits: TableLimits,
    entries: HashMap<u64, Entry>,
    next: u64,
    known: KnownPeers,
}

/// Why a connection was closed for others, and its token, which the caller cancels.
pub(super) type Eviction = (Reason, CancellationToken);

/// Space for a new connection.
enum Space {
    /// A slot is free.
    Free,
    /// The slot of a connection that was evicted.
    Of(Eviction),
    /// No slot is free, and none can be taken.
    None,
}

/// Result of freeing the memory of another body.
pub(super) enum BodyEviction {
    /// The other body was closed.
    Now(Eviction),
    /// Only bodies that are still in their grace could be closed.
    Later,
    /// There is no other body, or all are to be kept.
    None,
}

impl Table {
    pub(super) fn new(limits: TableLimits, known: KnownPeers) -> Self {
        Self {
            limits,
            entries: HashMap::new(),
            next: 0,
            known,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn entry(&mut self, id: u64) -> Option<&mut Entry> {
        self.entries.get_mut(&id)
    }

    pub(super) fn remove(&mut self, id: u64) -> bool {
        self.entries.remove(&id).is_some()
    }

    fn trust_of(&self, peer: Peer) -> Trust {
        if self.known.contains(peer) {
            Trust::Known
        } else {
            Trust::Unknown
        }
    }

    /// Adds a connection, if need be in place of a client that has been waited for longer than `grace`. Returns `None` if
    /// no slot is free and no client can be closed.
    pub(super) fn admit(
        &mut self,
        peer: Peer,
        is_proxy: bool,
        grace: Duration,
        now: Instant,
    ) -> Option<(u64, CancellationToken, Option<Eviction>)> {
        let trust = if is_proxy {
            Trust::Known
        } else {
            self.trust_of(peer)
        };
        let eviction = match self.make_space(peer, trust, grace, now) {
            Space::Free => None,
            Space::Of(eviction) => Some(eviction),
            Space::None => return None,
        };
        let (id, evicted) = (self.next, CancellationToken::new());
        self.next += 1;
        self.entries.insert(
            id,
            Entry {
                peer,
                proxy: is_proxy.then_some(peer),
                trust,
                phase: Phase::Busy,
                since: now,
                bytes: 0,
                evicted: evicted.clone(),
            },
        );
        Some((id, evicted, eviction))
    }

    /// Evicts a connection if the new one needs its slot.
    fn make_space(&mut self, peer: Peer, trust: Trust, grace: Duration, now: Instant) -> Space {
        let is_unknown = trust == Trust::Unknown;
        if is_unknown && let Some(eviction) = self.enforce_peer_limit(peer, grace, now) {
            return Space::Of(eviction);
        }
        let is_full = self.len() >= self.limits.slots;
        let is_share_full = is_unknown && self.is_unknown_share_full();
        if !is_full && !is_share_full {
            return Space::Free;
        }
        let of_unknown = if is_unknown { grace } else { SHORT_GRACE };
        let victim = self
            .longest(of_unknown, now, |entry| entry.trust == Trust::Unknown)
            .or_else(|| {
                // Unknown clients never get the slots that are reserved for known ones.
                if is_share_full {
                    return None;
                }
                self.longest(grace, now, |entry| {
                    let idle = entry.phase == Phase::Waiting;
                    let waited = now.saturating_duration_since(entry.since);
                    if is_unknown {
                        idle && waited >= KNOWN_MAY_IDLE
                    } else {
                        idle || entry.trust < Trust::Verified
                    }
                })
            });
        victim
            .and_then(|victim| self.evict(victim, Reason::Evicted))
            .map_or(Space::None, Space::Of)
    }

    /// Evicts a connection of an unknown peer that has as many as it may have.
    pub(super) fn enforce_peer_limit(
        &mut self,
        peer: Peer,
        grace: Duration,
        now: Instant,
    ) -> Option<Eviction> {
        if self.len() < self.limits.per_peer {
            return None;
        }
        let is_own = |entry: &Entry| entry.trust == Trust::Unknown && entry.peer == peer;
        let own = self.entries.values().filter(|entry| is_own(entry)).count();
        if own < self.limits.per_peer {
            return None;
        }
        // All of them may be busy. Then the slots are shared with others until the next connection.
        let victim = self.longest(grace, now, is_own)?;
        self.evict(victim, Reason::PeerLimit)
    }

    fn is_unknown_share_full(&self) -> bool {
        let share = self.limits.slots - self.limits.reserved;
        self.len() >= share
            && self
                .entries
                .values()
                .filter(|entry| entry.trust == Trust::Unknown)
                .count()
                >= share
    }

    /// Returns the least trusted client that meets the condition and has been waited for longest.
    fn longest(
        &self,
        grace: Duration,
        now: Instant,
        is_candidate: impl Fn(&Entry) -> bool,
    ) -> Option<u64> {
        self.entries
            .iter()
            .filter(|(_, entry)| {
                entry.phase != Phase::Busy
                    && now.saturating_duration_since(entry.since) >= grace
                    && is_candidate(entry)
            })
            .min_by_key(|(id, entry)| (entry.trust, entry.since, **id))
            .map(|(id, _)| *id)
    }

    fn evict(&mut self, id: u64, reason: Reason) -> Option<Eviction> {
        let entry = self.entries.remove(&id)?;
        Some((reason, entry.evicted))
    }

    /// Evicts the client that a known one would replace, since the process has no descriptor for another connection.
    pub(super) fn evict_longest(&mut self, now: Instant) -> Option<Eviction> {
        let victim = self.longest(SHORT_GRACE, now, |entry| {
            entry.phase == Phase::Waiting || entry.trust < Trust::Verified
        })?;
        self.evict(victim, Reason::NoDescriptor)
    }

    /// Evicts the body that has been received for longest, to free its memory for the body of this connection. A body of a
    /// client that is trusted the same stays for the grace, one of a client that is trusted more for good.
    pub(super) fn evict_body(&mut self, id: u64, now: Instant) -> BodyEviction {
        let Some(own) = self.entries.get(&id) else {
            return BodyEviction::None;
        };
        let (trust, since) = (own.trust, own.since);
        let victim = self
            .entries
            .iter()
            .filter(|(_, entry)| {
                entry.phase == Phase::Receiving
                    && entry.bytes > 0
                    && entry.trust < Trust::Verified
                    && (entry.trust, entry.since) < (trust, since)
            })
            .min_by_key(|(id, entry)| (entry.trust, entry.since, **id));
        match victim {
            None => BodyEviction::None,
            Some((_, victim))
                if victim.trust == trust && now.saturating_duration_since(victim.since) < GRACE =>
            {
                BodyEviction::Later
            }
            Some((victim, _)) => {
                let victim = *victim;
                self.evict(victim, Reason::Memory)
                    .map_or(BodyEviction::None, BodyEviction::Now)
            }
        }
    }

    /// While three quarters of the slots are taken, evicts clients without a good signature that have been idle for 2 s.
    pub(super) fn evict_idle(&mut self, now: Instant) -> Vec<Eviction> {
        let share = self.limits.slots - self.limits.reserved;
        if self.len() < (share - share / 4).max(1) {
            return vec![];
        }
        let is_idle = |entry: &Entry| {
            entry.phase == Phase::Waiting
                && entry.proxy.is_none()
                && entry.trust < Trust::Verified
                && now.saturating_duration_since(entry.since) >= IDLE_UNDER_PRESSURE
        };
        self.entries
            .extract_if(|_, entry| is_idle(entry))
            .map(|(_, entry)| (Reason::Idle, entry.evicted))
            .collect()
    }

    /// Records a request of this client, which a proxy may have named.
    pub(super) fn set_client(&mut self, id: u64, client: Peer) {
        let trust = self.trust_of(client);
        if let Some(entry) = self.entries.get_mut(&id)
            && entry.proxy.is_some()
        {
            entry.peer = client;
            entry.trust = trust;
        }
    }

    /// Records a good signature: the connection is verified, and its client known on all others.
    pub(super) fn verified(&mut self, id: u64) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        entry.trust = Trust::Verified;
        let peer = entry.peer;
        if self.known.insert(peer) {
            for other in self.entries.values_mut().filter(|it| it.peer == peer) {
                other.trust = other.trust.max(Trust::Known);
            }
        }
    }
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests;
