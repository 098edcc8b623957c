//! The HTTP client with which commands reach a running service.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use reqwest::{Client, ClientBuilder, Url};

pub(crate) use super::address::is_loopback;

/// Builds a client with this timeout per request. It follows no redirect.
///
/// # Errors
/// Fails if TLS cannot be set up.
pub fn new(timeout: Duration) -> anyhow::Result<Client> {
    Ok(builder(timeout).build()?)
}

/// Builds the same for one URL. It uses no proxy if the URL is on this machine, whatever the environment contains.
///
/// # Errors
/// Fails if TLS cannot be set up.
pub fn for_url(url: &str, timeout: Duration) -> anyhow::Result<Client> {
    let builder = match Url::parse(url) {
        Ok(url) => builder_for(&url, timeout),
        Err(_) => builder(timeout),
    };
    Ok(builder.build()?)
}

/// Starts the same client, for more options.
pub(super) fn builder_for(url: &Url, timeout: Duration) -> ClientBuilder {
    let builder = builder(timeout);
    if is_loopback(url) {
        builder.no_proxy()
    } else {
        builder
    }
}

fn builder(timeout: Duration) -> ClientBuilder {
    // A second install in one process fails; the first stays in place.
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::builder()
        .timeout(timeout)
        // A provider would not follow a redirect of a webhook either.
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("leaver/", env!("CARGO_PKG_VERSION")))
}

/// Returns the URL of a service on this machine that listens on this address. `0.0.0.0` becomes `127.0.0.1`.
#[must_use]
pub(crate) fn local_url(listen: SocketAddr) -> String {
    let address = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::from(([127, 0, 0, 1], listen.port())),
        IpAddr::V6(ip) if ip.is_unspecified() => {
            SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], listen.port()))
        }
        _ => listen,
    };
    format!("http://{address}")
}

/// Checks a URL given on the command line.
///
/// # Errors
/// Returns a hint with an example if the text is not an `http` or `https` URL.
pub(crate) fn parse_url(text: &str) -> Result<String, &'static str> {
    let parsed = Url::parse(text).ok();
    parsed
        .filter(|url| ["http", "https"].contains(&url.scheme()))
        .map(|_| text.to_owned())
        .ok_or("not an http URL; write it like http://127.0.0.1:8080")
}
