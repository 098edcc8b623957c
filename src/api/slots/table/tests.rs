//! Who gets a slot, and who is closed for it.

use std::net::{IpAddr, Ipv4Addr};

use super::*;

/// A table of 8 slots, 2 of them reserved; an unknown peer has up to 8.
struct Fixture {
    table: Table,
    start: Instant,
    now: Instant,
}

fn peer(n: u8) -> Peer {
    Peer::from(IpAddr::V4(Ipv4Addr::new(192, 0, 2, n)))
}

impl Fixture {
    fn new() -> Self {
        let start = Instant::now();
        Self {
            table: Table::new(TableLimits::of(8), KnownPeers::default()),
            start,
            now: start,
        }
    }

    fn advance(&mut self, by: Duration) {
        self.now += by;
    }

    /// Connects. Returns the number, and why another client was closed.
    fn try_connect(&mut self, n: u8) -> Option<(u64, Option<Reason>)> {
        let (id, _, eviction) = self.table.admit(peer(n), false, GRACE, self.now)?;
        Some((id, eviction.map(|(reason, _)| reason)))
    }

    /// Connects, and waits for the client.
    fn wait_for(&mut self, n: u8) -> u64 {
        let (id, _) = self.try_connect(n).unwrap();
        self.table.entry(id).unwrap().phase = Phase::Waiting;
        id
    }

    /// Connects and receives a body of so many bytes.
    fn receive(&mut self, n: u8, bytes: usize) -> u64 {
        let id = self.wait_for(n);
        let entry = self.table.entry(id).unwrap();
        (entry.phase, entry.bytes) = (Phase::Receiving, bytes);
        id
    }

    fn is_open(&self, id: u64) -> bool {
        self.table.entries.contains_key(&id)
    }
}

#[test]
fn the_client_waited_for_longest_is_closed_first() {
    let mut all = Fixture::new();
    let mut ids = vec![];
    for n in 0..6 {
        ids.push(all.wait_for(n));
        all.advance(GRACE);
    }
    // A byte a second does not make a client younger: only a request or a response does.
    all.table.entry(ids[0]).unwrap().since = all.now;
    assert_eq!(all.try_connect(9).unwrap().1, Some(Reason::Evicted));
    assert!(all.is_open(ids[0]) && !all.is_open(ids[1]) && all.is_open(ids[2]));
}

#[test]
fn a_client_at_work_or_just_accepted_is_not_closed() {
    let mut all = Fixture::new();
    for n in 0..6 {
        all.try_connect(n).unwrap();
    }
    all.advance(Duration::from_mins(1));
    assert!(all.try_connect(9).is_none());
    let mut young = Fixture::new();
    for n in 0..6 {
        young.wait_for(n);
    }
    assert!(young.try_connect(9).is_none());
    young.advance(GRACE);
    assert!(young.try_connect(9).is_some());
}

#[test]
fn a_share_of_the_slots_is_reserved_for_known_peers() {
    let mut all = Fixture::new();
    let first = all.wait_for(1);
    all.table.verified(first);
    for n in 2..=7 {
        all.try_connect(n).unwrap();
    }
    assert!(all.try_connect(9).is_none());
    assert_eq!(all.try_connect(1).unwrap().1, None);
    assert_eq!(all.table.len(), 8);
}

#[test]
fn unknown_clients_are_closed_before_known_ones() {
    let mut all = Fixture::new();
    let verified = all.wait_for(1);
    all.table.verified(verified);
    let known = all.wait_for(1);
    all.advance(GRACE);
    let unknown: Vec<u64> = (2..=7).map(|n| all.receive(n, 0)).collect();
    all.advance(GRACE);
    for id in unknown {
        all.try_connect(1).unwrap();
        assert!(!all.is_open(id) && all.is_open(known));
    }
    all.try_connect(1).unwrap();
    assert!(!all.is_open(known) && all.is_open(verified));
    all.try_connect(1).unwrap();
    assert!(!all.is_open(verified));
    assert!(all.try_connect(1).is_none());
}

#[test]
fn a_known_client_keeps_its_slot_for_a_second() {
    let mut all = Fixture::new();
    for _ in 0..8 {
        let id = all.wait_for(1);
        all.table.verified(id);
    }
    all.advance(KNOWN_MAY_IDLE / 2);
    assert!(all.try_connect(9).is_none());
    all.advance(KNOWN_MAY_IDLE / 2);
    assert_eq!(all.try_connect(9).unwrap().1, Some(Reason::Evicted));
}

#[test]
fn an_unknown_peer_at_its_limit_closes_its_own() {
    let mut all = Fixture::new();
    all.table.limits = TableLimits {
        slots: 100,
        reserved: 25,
        per_peer: 8,
    };
    let other = all.wait_for(2);
    all.advance(GRACE);
    let own: Vec<u64> = (0..8).map(|_| all.wait_for(1)).collect();
    // They are too young to be closed, and there is space.
    assert_eq!(all.try_connect(1).unwrap().1, None);
    all.advance(GRACE);
    assert_eq!(all.try_connect(1).unwrap().1, Some(Reason::PeerLimit));
    assert!(all.is_open(other) && !all.is_open(own[0]));
    // The limit ends with the first good signature.
    all.table.verified(own[1]);
    assert_eq!(all.try_connect(1).unwrap().1, None);
}

#[test]
fn new_connections_that_cannot_wait_shorten_the_grace() {
    let mut all = Fixture::new();
    for n in 0..6 {
        all.wait_for(n);
    }
    all.advance(SHORT_GRACE);
    assert!(all.try_connect(9).is_none());
    let admitted = all.table.admit(peer(9), false, SHORT_GRACE, all.now);
    assert!(admitted.unwrap().2.is_some());
}

#[test]
fn a_body_takes_the_memory_of_older_unknown_ones() {
    let mut all = Fixture::new();
    let older = all.receive(2, 100);
    all.advance(Duration::from_millis(1));
    let (own, empty) = (all.receive(3, 0), all.receive(4, 0));
    let evict = |all: &mut Fixture, id| all.table.evict_body(id, all.now);
    assert!(matches!(evict(&mut all, own), BodyEviction::Later));
    all.advance(GRACE);
    assert!(matches!(evict(&mut all, own), BodyEviction::Now(_)));
    assert!(!all.is_open(older) && all.is_open(empty));
    assert!(matches!(evict(&mut all, own), BodyEviction::None));
}

#[test]
fn a_verified_client_takes_memory_at_once_and_gives_none() {
    let mut all = Fixture::new();
    let (own, younger) = (all.receive(1, 100), all.receive(2, 100));
    all.table.verified(own);
    let evict = |all: &mut Fixture, id| all.table.evict_body(id, all.now);
    assert!(matches!(evict(&mut all, own), BodyEviction::Now(_)));
    assert!(!all.is_open(younger));
    let unknown = all.receive(3, 100);
    all.advance(GRACE);
    assert!(matches!(evict(&mut all, unknown), BodyEviction::None));
    let known = all.receive(1, 100);
    assert!(matches!(evict(&mut all, known), BodyEviction::Now(_)));
    assert!(!all.is_open(unknown) && all.is_open(own));
}

#[test]
fn without_descriptors_the_client_waited_for_longest_is_closed() {
    let mut all = Fixture::new();
    let verified = all.wait_for(1);
    all.table.verified(verified);
    let (busy, unknown) = (all.try_connect(2).unwrap().0, all.wait_for(3));
    assert!(all.table.evict_longest(all.now).is_none());
    all.advance(SHORT_GRACE);
    for closed in [unknown, verified] {
        assert!(all.table.evict_longest(all.now).is_some() && !all.is_open(closed));
    }
    assert!(all.table.evict_longest(all.now).is_none() && all.is_open(busy));
}

#[test]
fn under_pressure_idle_clients_end_early() {
    let mut all = Fixture::new();
    let verified = all.wait_for(1);
    all.table.verified(verified);
    let silent = all.wait_for(2);
    let body = all.receive(3, 100);
    all.advance(IDLE_UNDER_PRESSURE);
    assert!(all.table.evict_idle(all.now).is_empty());
    let busy: Vec<u64> = (4..6).map(|n| all.try_connect(n).unwrap().0).collect();
    assert_eq!(all.table.evict_idle(all.now).len(), 1);
    assert!(!all.is_open(silent) && all.is_open(verified) && all.is_open(body));
    assert!(busy.iter().all(|id| all.is_open(*id)));
    assert!(all.now > all.start);
}

#[test]
fn clients_of_a_proxy_are_trusted_one_by_one() {
    let mut all = Fixture::new();
    let (id, _, _) = all.table.admit(peer(1), true, GRACE, all.now).unwrap();
    let trust = |all: &mut Fixture| all.table.entry(id).unwrap().trust;
    assert_eq!(trust(&mut all), Trust::Known);
    all.table.set_client(id, peer(2));
    assert_eq!(trust(&mut all), Trust::Unknown);
    all.table.verified(id);
    assert_eq!(trust(&mut all), Trust::Verified);
    all.table.set_client(id, peer(3));
    assert_eq!(trust(&mut all), Trust::Unknown);
    all.table.set_client(id, peer(2));
    assert_eq!(trust(&mut all), Trust::Known);
    // Nobody has that address but the proxy, whose other clients stay unknown.
    let (direct, _) = all.try_connect(1).unwrap();
    assert_eq!(all.table.entry(direct).unwrap().trust, Trust::Unknown);
}
