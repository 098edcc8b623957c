//! Where an API is. Credentials go there with every request, so an address is checked before it is used.

use std::net::IpAddr;

use reqwest::Url;

/// An address that is not used, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// Not a URL.
    #[error("api.base_url is not a URL: write it like https://api.merge.dev/api/hris/v1")]
    NotAUrl,
    /// The credentials would go over the network in the clear.
    #[error("api.base_url must begin with https://, since the key travels with each request")]
    NotHttps,
    /// User, query or fragment.
    #[error(
        "api.base_url must have no user, no `?` and no `#` in it: the key belongs into api.api_key"
    )]
    ExtraParts,
    /// More than the subdomain.
    #[error("api.company_domain is only the part before .bamboohr.com: letters, digits and `-`")]
    NotASubdomain,
}

/// Where Merge's HRIS API is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeAddress(pub(crate) Url);

impl MergeAddress {
    /// Merge's own address in the United States. Europe's host is `api-eu.merge.dev`, Asia's
    /// `api-ap.merge.dev` (Merge's HRIS documentation).
    pub const UNITED_STATES: &'static str = "https://api.merge.dev/api/hris/v1";

    /// Any address, such as `https://api-eu.merge.dev/api/hris/v1`; a bare host gets that path.
    ///
    /// # Errors
    /// [`InvalidAddress`], which names the setting.
    pub fn parse(base_url: &str) -> Result<Self, InvalidAddress> {
        checked(base_url, "/api/hris/v1").map(Self)
    }
}

/// Where a company's BambooHR API is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BambooHrAddress(pub(crate) Url);

impl BambooHrAddress {
    /// Today's address of a company, by its subdomain.
    ///
    /// # Errors
    /// [`InvalidAddress`], which names the setting.
    pub fn from_company_domain(company_domain: &str) -> Result<Self, InvalidAddress> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if !(1..=63).contains(&company_domain.len()) || !company_domain.chars().all(plain) {
            return Err(InvalidAddress::NotASubdomain);
        }
        Self::parse(&format!("https://{company_domain}.bamboohr.com"))
    }

    /// Any address, also the older `https://api.bamboohr.com/api/gateway.php/COMPANY/v1`; a bare host gets
    /// the path `/api/v1`.
    ///
    /// # Errors
    /// [`InvalidAddress`], which names the setting.
    pub fn parse(base_url: &str) -> Result<Self, InvalidAddress> {
        checked(base_url, "/api/v1").map(Self)
    }
}

fn checked(text: &str, usual_path: &str) -> Result<Url, InvalidAddress> {
    let mut url = Url::parse(text.trim()).map_err(|_| InvalidAddress::NotAUrl)?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err(InvalidAddress::NotAUrl);
    }
    if url.scheme() != "https" && !(url.scheme() == "http" && is_this_machine(&url)) {
        return Err(InvalidAddress::NotHttps);
    }
    let has_user = !url.username().is_empty() || url.password().is_some();
    if has_user || url.query().is_some() || url.fragment().is_some() {
        return Err(InvalidAddress::ExtraParts);
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(if path.is_empty() { usual_path } else { &path });
    Ok(url)
}

/// Stand-in APIs of tests and of a trial run listen here, without TLS.
fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The address of a call: the base with these segments, each encoded as one.
pub(crate) fn below(base: &Url, segments: &[&str], query: &[(&str, &str)]) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.extend(segments);
    }
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    url
}
