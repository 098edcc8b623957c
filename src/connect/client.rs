//! An HTTP client for what a command asks of a running service.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// A client that gives up after `timeout` and follows no redirect, since a redirected webhook is a lost one.
///
/// # Errors
/// When TLS cannot be set up.
pub fn new(timeout: Duration) -> anyhow::Result<reqwest::Client> {
    // A second install in one process fails, and then the first one serves.
    drop(rustls::crypto::ring::default_provider().install_default());
    Ok(reqwest::Client::builder()
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("leaver/", env!("CARGO_PKG_VERSION")))
        .build()?)
}

/// How to reach a service on this machine that listens here: `0.0.0.0` is reached at `127.0.0.1`.
#[must_use]
pub fn local_url(listen: SocketAddr) -> String {
    let address = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::from(([127, 0, 0, 1], listen.port())),
        IpAddr::V6(ip) if ip.is_unspecified() => {
            SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], listen.port()))
        }
        _ => listen,
    };
    format!("http://{address}")
}

/// An address as it is given on the command line.
///
/// # Errors
/// When it is not one that we could ask, with one that would be.
pub fn parse_url(text: &str) -> Result<String, &'static str> {
    let parsed = reqwest::Url::parse(text).ok();
    parsed
        .filter(|url| ["http", "https"].contains(&url.scheme()))
        .map(|_| text.to_owned())
        .ok_or("it should look like http://127.0.0.1:8080")
}
