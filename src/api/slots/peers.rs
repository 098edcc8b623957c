//! Addresses of clients, and those whose signature was right before.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

/// Most remembered addresses. Only a good signature adds one, so forged requests displace none.
const MAX_KNOWN: usize = 4096;

/// The address by which a client is counted: an IPv4 address, or the /64 network of an IPv6 address, of which one client may
/// use any address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Peer(IpAddr);

impl From<IpAddr> for Peer {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(IpAddr::V4(address)),
            IpAddr::V6(address) => {
                let network = address.to_bits() & !u128::from(u64::MAX);
                // All of ::/64 are special addresses, such as ::1, which are no network of one client.
                let is_special = network == 0;
                let kept = if is_special {
                    address.to_bits()
                } else {
                    network
                };
                Self(IpAddr::V6(Ipv6Addr::from_bits(kept)))
            }
        }
    }
}

/// Peers that sent a good signature, each with the number of the last one.
#[derive(Debug, Default)]
pub(super) struct KnownPeers {
    peers: HashMap<Peer, u64>,
    count: u64,
    /// True if clients on this machine are known from the start.
    includes_loopback: bool,
}

impl KnownPeers {
    pub(super) fn new(includes_loopback: bool) -> Self {
        Self {
            includes_loopback,
            ..Self::default()
        }
    }

    pub(super) fn contains(&self, peer: Peer) -> bool {
        (self.includes_loopback && peer.0.is_loopback()) || self.peers.contains_key(&peer)
    }

    /// Adds a peer in place of the one whose good signature is the oldest. Returns true if it was not known.
    pub(super) fn insert(&mut self, peer: Peer) -> bool {
        self.count += 1;
        if let Some(last) = self.peers.get_mut(&peer) {
            *last = self.count;
            return false;
        }
        if self.peers.len() >= MAX_KNOWN {
            let oldest = self.peers.iter().min_by_key(|(_, last)| **last);
            if let Some(oldest) = oldest.map(|(peer, _)| *peer) {
                self.peers.remove(&oldest);
            }
        }
        self.peers.insert(peer, self.count);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn peer(n: u32) -> Peer {
        Peer::from(IpAddr::V4(Ipv4Addr::from_bits(n)))
    }

    #[test]
    fn the_memory_of_known_peers_is_bounded() {
        let mut known = KnownPeers::default();
        assert!(known.insert(peer(1)) && known.insert(peer(2)));
        assert!(!known.insert(peer(1)));
        for n in 3..=4097 {
            known.insert(peer(n));
        }
        assert_eq!(known.peers.len(), MAX_KNOWN);
        assert!(known.contains(peer(1)) && !known.contains(peer(2)));
    }

    #[test]
    fn addresses_of_one_network_are_one_peer() {
        let peer = |text: &str| text.parse::<IpAddr>().map(Peer::from);
        assert_eq!(peer("2001:db8::1"), peer("2001:db8::ffff:0:0:2"));
        assert_ne!(peer("2001:db8::1"), peer("2001:db8:0:1::1"));
        assert_eq!(peer("::ffff:192.0.2.1"), peer("192.0.2.1"));
        assert_ne!(peer("192.0.2.1"), peer("192.0.2.2"));
        assert_ne!(peer("::1"), peer("::2"));
    }
}
