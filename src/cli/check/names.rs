//! Names of hosts that must resolve.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::Url;
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::{CheckReport, CheckStatus};
use crate::config::Server;

/// Time limit for one name.
const TIMEOUT: Duration = Duration::from_secs(5);

const CHECK: &str = "server.public_url";

/// Checks the host of `server.public_url`. It may resolve elsewhere only, so this is no error.
pub(super) async fn check_public_url(report: &mut CheckReport, server: &Server, is_offline: bool) {
    let Some(public_url) = &server.public_url else {
        return;
    };
    let url = Url::parse(public_url).ok();
    let Some(host) = url.as_ref().and_then(Url::host_str) else {
        let text = "its host cannot be read; write it like https://leaver.example.com";
        return report.add(CheckStatus::Error, CHECK, text);
    };
    let is_https = url.as_ref().is_some_and(|url| url.scheme() == "https");
    if !is_https {
        let text = "it begins with http://, and the providers post to https:// only; set the address of the proxy that ends TLS";
        report.add(CheckStatus::Warning, CHECK, text);
    }
    if is_offline {
        return;
    }
    match resolves(host).await {
        Ok(()) if is_https => report.add(CheckStatus::Ok, CHECK, format!("{host} resolves")),
        Ok(()) => {}
        Err(problem) => report.add(
            CheckStatus::Warning,
            CHECK,
            format!("{host}: {problem} from this machine; the providers post there, so correct it or the DNS entry"),
        ),
    }
}

/// Looks a host up, with or without a port behind it. An address needs no look-up.
///
/// # Errors
/// Returns the problem in words.
pub(super) async fn resolves(host: &str) -> Result<(), &'static str> {
    let bare = host.trim_start_matches('[');
    let bare = match bare.split_once(']') {
        Some((bare, _)) => bare,
        None => bare.split(':').next().unwrap_or_default(),
    };
    if bare.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    let found = timeout(TIMEOUT, lookup_host((bare, 443))).await;
    match found.map(|found| found.is_ok_and(|mut found| found.next().is_some())) {
        Ok(true) => Ok(()),
        Ok(false) => Err("host not found"),
        Err(_) => Err("the DNS servers do not respond"),
    }
}
