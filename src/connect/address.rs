//! Base URLs of the APIs. Each request carries credentials, so a URL is checked before it is used.

use std::net::IpAddr;

use reqwest::Url;

/// Why a base URL is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// The text is not a URL.
    #[error("`api.base_url` is not a URL; write it like https://api.merge.dev/api/hris/v1")]
    NotAUrl,
    /// The credentials would be sent unencrypted.
    #[error(
        "`api.base_url` does not begin with https://; each request carries the key, so use TLS"
    )]
    NotHttps,
    /// The URL has a user, a query or a fragment.
    #[error(
        "`api.base_url` has a user, a `?` or a `#`; remove it and set the key in `api.api_key`"
    )]
    ExtraParts,
    /// The text is more than a subdomain.
    #[error(
        "`api.company_domain` is not a subdomain; write the part before .bamboohr.com: letters, digits and `-`"
    )]
    NotASubdomain,
}

/// The base URL of Merge's HRIS API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeAddress(pub(crate) Url);

impl MergeAddress {
    /// Merge's base URL in the United States. The host is `api-eu.merge.dev` in Europe and `api-ap.merge.dev` in Asia
    /// (<https://docs.merge.dev/hris>, read 2026-11-22).
    pub(crate) const UNITED_STATES: &'static str = "https://api.merge.dev/api/hris/v1";

    /// Parses a URL such as `https://api-eu.merge.dev/api/hris/v1`. A bare host gets that path.
    ///
    /// # Errors
    /// [`InvalidAddress`]; its text names the setting.
    pub fn parse(base_url: &str) -> Result<Self, InvalidAddress> {
        parse_base_url(base_url, "/api/hris/v1").map(Self)
    }
}

/// The base URL of a company's BambooHR API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BambooHrAddress(pub(crate) Url);

impl BambooHrAddress {
    /// Builds `https://COMPANY.bamboohr.com/api/v1` from the subdomain.
    ///
    /// # Errors
    /// [`InvalidAddress`]; its text names the setting.
    pub(crate) fn from_company_domain(company_domain: &str) -> Result<Self, InvalidAddress> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if !(1..=63).contains(&company_domain.len()) || !company_domain.chars().all(plain) {
            return Err(InvalidAddress::NotASubdomain);
        }
        Self::parse(&format!("https://{company_domain}.bamboohr.com"))
    }

    /// Parses a URL, also the older form `https://api.bamboohr.com/api/gateway.php/COMPANY/v1`. A bare host gets the
    /// path `/api/v1` (<https://documentation.bamboohr.com/docs/api-details>, read 2026-11-22).
    ///
    /// # Errors
    /// [`InvalidAddress`]; its text names the setting.
    pub fn parse(base_url: &str) -> Result<Self, InvalidAddress> {
        parse_base_url(base_url, "/api/v1").map(Self)
    }
}

fn parse_base_url(text: &str, default_path: &str) -> Result<Url, InvalidAddress> {
    let mut url = Url::parse(text.trim()).map_err(|_| InvalidAddress::NotAUrl)?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err(InvalidAddress::NotAUrl);
    }
    if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
        return Err(InvalidAddress::NotHttps);
    }
    let has_user = !url.username().is_empty() || url.password().is_some();
    if has_user || url.query().is_some() || url.fragment().is_some() {
        return Err(InvalidAddress::ExtraParts);
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(if path.is_empty() { default_path } else { &path });
    Ok(url)
}

/// Returns true for addresses of this machine. Stand-in APIs of tests and trial runs listen there, without TLS. A proxy would
/// reach another machine, so requests to them never go through one.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// Appends path segments, each percent-encoded, and a query to a base URL.
pub(crate) fn join(base: &Url, segments: &[&str], query: &[(&str, &str)]) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.extend(segments);
    }
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    url
}

/// Returns a base URL with another version of the API in place of `v1`, its last segment.
pub(crate) fn with_version(base: &Url, version: &str) -> Url {
    let mut url = base.clone();
    if let Some(path) = base.path().strip_suffix("/v1") {
        url.set_path(&format!("{path}/{version}"));
    }
    url
}
