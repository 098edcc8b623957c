//! `server.trusted_proxies`: which of a request's addresses is its client's.

use std::net::IpAddr;
use std::str::FromStr;

use axum::http::HeaderMap;
use axum::http::header::{FORWARDED, HeaderName};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// A request through more proxies is counted as one of the last trusted proxy.
const MAX_HOPS: usize = 32;

/// An address, or a network such as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// The text is not a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not an address such as 10.0.0.7 or a network such as 10.0.0.0/8")]
pub struct NotANetwork;

impl FromStr for Network {
    type Err = NotANetwork;

    /// Parses an address or a network. One of all addresses is refused: any client could name another one's address.
    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NotANetwork)?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| NotANetwork)?,
            None => bits,
        };
        if prefix == 0 || prefix > bits {
            return Err(NotANetwork);
        }
        Ok(Self { address, prefix })
    }
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= u32::from(self.prefix)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= u32::from(self.prefix)
            }
            _ => false,
        }
    }
}

/// The proxies whose headers name the client.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<Network>);

impl TrustedProxies {
    /// Trusts the proxies in these networks.
    #[must_use]
    pub fn new(networks: Vec<Network>) -> Self {
        Self(networks)
    }

    /// Returns whether an address is that of a trusted proxy.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// Returns the address of the client: the last one in the headers of trusted proxies that is not a proxy's. Headers of
    /// anybody else count for nothing.
    pub(super) fn client(&self, other_end: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.contains(other_end) {
            return other_end;
        }
        let by = |name: &HeaderName, parse: fn(&str) -> Option<IpAddr>| {
            headers
                .contains_key(name)
                .then(|| self.last_client(other_end, headers, name, parse))
        };
        let named = by(&X_FORWARDED_FOR, address_of_hop);
        let standard = by(&FORWARDED, |element| {
            address_of_hop(for_parameter(element)?)
        });
        match (named, standard) {
            (Some(one), Some(other)) if one == other => one,
            // A proxy that writes one header may pass on the client's own other one.
            (Some(_), Some(_)) | (None, None) => other_end,
            (Some(one), None) | (None, Some(one)) => one,
        }
    }

    fn last_client(
        &self,
        other_end: IpAddr,
        headers: &HeaderMap,
        name: &HeaderName,
        parse: fn(&str) -> Option<IpAddr>,
    ) -> IpAddr {
        let lines = headers.get_all(name).iter().rev();
        let hops = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
        let mut nearest = other_end;
        for hop in hops.take(MAX_HOPS) {
            match parse(hop.trim()) {
                Some(address) if self.contains(address) => nearest = address,
                Some(address) => return address,
                None => break,
            }
        }
        nearest
    }
}

/// Parses `192.0.2.1`, `192.0.2.1:443`, `2001:db8::1` or `[2001:db8::1]:443`, with or without quotes.
fn address_of_hop(text: &str) -> Option<IpAddr> {
    let text = text.trim_matches('"');
    if let Some((address, _)) = text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        return address.parse().ok();
    }
    let without_port = text.split_once(':').map_or(text, |(address, _)| address);
    text.parse().or_else(|_| without_port.parse()).ok()
}

/// Returns the value of `for` in an element of `Forwarded` (RFC 7239, section 4).
fn for_parameter(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("for")
            .then(|| value.trim())
    })
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn client(other_end: &str, lines: &[(&str, &str)]) -> String {
        let proxies = ["10.0.0.0/8", "192.0.2.7", "fd00::/8"];
        let proxies = TrustedProxies::new(proxies.map(|text| text.parse().unwrap()).to_vec());
        let headers = lines.iter().map(|(name, value)| {
            let name: HeaderName = name.parse().unwrap();
            (name, HeaderValue::from_str(value).unwrap())
        });
        let headers = headers.collect();
        proxies
            .client(other_end.parse().unwrap(), &headers)
            .to_string()
    }

    #[test]
    fn only_a_trusted_proxy_names_the_client() {
        let named = [("x-forwarded-for", "198.51.100.1")];
        assert_eq!(client("203.0.113.5", &named), "203.0.113.5");
        assert_eq!(client("192.0.2.8", &named), "192.0.2.8");
        for proxy in ["10.255.0.1", "192.0.2.7", "fd12::1", "::ffff:10.0.0.1"] {
            assert_eq!(client(proxy, &named), "198.51.100.1");
        }
    }

    #[test]
    fn the_last_address_that_is_no_proxy_is_the_client() {
        let client = |value| client("10.0.0.1", &[("x-forwarded-for", value)]);
        assert_eq!(client("127.0.0.1, 198.51.100.1"), "198.51.100.1");
        assert_eq!(
            client("203.0.113.9,198.51.100.1 , 10.9.9.9"),
            "198.51.100.1"
        );
        assert_eq!(client("10.1.1.1, 10.9.9.9"), "10.1.1.1");
        assert_eq!(client("198.51.100.1:4711"), "198.51.100.1");
        assert_eq!(client("[2001:db8::1]:80"), "2001:db8::1");
        assert_eq!(client("2001:db8::1"), "2001:db8::1");
        for unreadable in ["", "unknown", "198.51.100.1, x", "\u{e9}", "1.2.3"] {
            assert_eq!(client(unreadable), "10.0.0.1", "{unreadable}");
        }
    }

    #[test]
    fn lines_of_a_header_are_one_list() {
        let line = |value| ("x-forwarded-for", value);
        let lines = [line("203.0.113.9"), line("198.51.100.1, 10.0.0.2")];
        assert_eq!(client("10.0.0.1", &lines), "198.51.100.1");
    }

    #[test]
    fn the_standard_header_names_the_client_too() {
        for value in [
            "for=198.51.100.1",
            "for=\"198.51.100.1:80\";proto=https, for=10.0.0.3",
            "for=203.0.113.9, proto=http;By=x;FOR=198.51.100.1",
        ] {
            assert_eq!(client("10.0.0.1", &[("forwarded", value)]), "198.51.100.1");
        }
        let quoted = [("forwarded", "For=\"[2001:db8::1]:4711\"")];
        assert_eq!(client("10.0.0.1", &quoted), "2001:db8::1");
        assert_eq!(
            client("10.0.0.1", &[("forwarded", "for=_hidden")]),
            "10.0.0.1"
        );
    }

    #[test]
    fn two_headers_that_differ_name_nobody() {
        let both = |one, other| {
            client(
                "10.0.0.1",
                &[("x-forwarded-for", one), ("forwarded", other)],
            )
        };
        assert_eq!(both("198.51.100.1", "for=203.0.113.9"), "10.0.0.1");
        assert_eq!(both("198.51.100.1", "for=198.51.100.1"), "198.51.100.1");
    }

    #[test]
    fn a_network_of_all_addresses_is_refused() {
        for text in [
            "0.0.0.0/0",
            "::/0",
            "10.0.0.0/33",
            "10.0.0/8",
            "host",
            "",
            "10.0.0.1/",
        ] {
            assert_eq!(text.parse::<Network>(), Err(NotANetwork), "{text}");
        }
    }
}
