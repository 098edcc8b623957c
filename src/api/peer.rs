//! The address of the client of a request.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::Extensions;

/// Returns the client's address, without its port. Behind a trusted proxy it is the one that the proxy names. `None` for a
/// request that no connection sent, as in tests.
pub(super) fn peer(extensions: &Extensions) -> Option<IpAddr> {
    let connected = extensions.get::<ConnectInfo<SocketAddr>>();
    connected.map(|ConnectInfo(peer)| peer.ip().to_canonical())
}
