//! Limits how fast a peer gets answers to wrong tokens. It is used on the admin listener only: to an HR system, every 4xx is
//! final.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Failures of a peer within [`WINDOW`] that are answered 401. More of them are answered 429.
const MAX_FAILURES: usize = 5;
const WINDOW: Duration = Duration::from_secs(1);

/// Most peers in memory.
const MAX_PEERS: usize = 4096;

/// Recent failures with the administrator's token, by peer.
#[derive(Debug, Default)]
pub struct TokenFailures(Mutex<HashMap<IpAddr, VecDeque<Instant>>>);

impl TokenFailures {
    /// Records a failure, unless the peer had [`MAX_FAILURES`] within the last second. Returns false then.
    pub(super) fn record(&self, peer: IpAddr, now: Instant) -> bool {
        let mut peers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recent = |at: &Instant| now.saturating_duration_since(*at) < WINDOW;
        let peer = network(peer);
        if peers.len() >= MAX_PEERS && !peers.contains_key(&peer) {
            peers.retain(|_, failures| failures.iter().any(is_recent));
            if peers.len() >= MAX_PEERS {
                return false;
            }
        }
        let failures = peers.entry(peer).or_default();
        failures.retain(is_recent);
        if failures.len() >= MAX_FAILURES {
            return false;
        }
        failures.push_back(now);
        true
    }
}

/// Returns what one client controls: an IPv4 address, or the first half of an IPv6 address.
fn network(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(address) => {
            let half = u128::from(address) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(half))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u32) -> IpAddr {
        IpAddr::V4(n.into())
    }

    #[test]
    fn five_failures_a_second_are_recorded_for_each_peer() {
        let (failures, start) = (TokenFailures::default(), Instant::now());
        let after = |ms| start + Duration::from_millis(ms);
        for n in 0..5 {
            assert!(failures.record(peer(1), after(n * 100)));
        }
        assert!(!failures.record(peer(1), after(500)));
        assert!(failures.record(peer(2), after(500)));
        // The first of the five is a second old.
        assert!(failures.record(peer(1), after(1_000)));
        assert!(!failures.record(peer(1), after(1_001)));
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_peer() {
        let (failures, now) = (TokenFailures::default(), Instant::now());
        let address = |n: u128| IpAddr::V6(Ipv6Addr::from((0x2001_0db8 << 96) + n));
        for n in 0..5 {
            assert!(failures.record(address(n), now));
        }
        assert!(!failures.record(address(99), now));
        assert!(failures.record(address(1 << 64), now));
    }

    #[test]
    fn peers_in_memory_are_limited() {
        let (failures, start) = (TokenFailures::default(), Instant::now());
        for n in 0..4096 {
            assert!(failures.record(peer(n), start));
        }
        assert!(!failures.record(peer(5_000), start));
        assert!(failures.record(peer(5_000), start + WINDOW));
    }
}
