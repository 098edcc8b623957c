//! Protection of a connection, which decides how the server may get the password.

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

/// Protection of a connection. It is kept in the TLS mode of the options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// TLS with a certificate that is verified, with the name in it. Mode `verify-full`.
    VerifiedTls,
    /// The address is of this machine. The password is used for SCRAM only. Mode `disable`.
    Local,
    /// None, by `database.tls = "unverified"`. Any other mode.
    Unverified,
}

impl Protection {
    /// Returns the protection of connections with these options.
    #[must_use]
    pub fn of(options: &PgConnectOptions) -> Self {
        match options.get_ssl_mode() {
            PgSslMode::VerifyFull => Self::VerifiedTls,
            PgSslMode::Disable => Self::Local,
            PgSslMode::Allow | PgSslMode::Prefer | PgSslMode::Require | PgSslMode::VerifyCa => {
                Self::Unverified
            }
        }
    }
}

/// Returns true if the address is a socket of this machine.
#[must_use]
pub fn is_socket(options: &PgConnectOptions) -> bool {
    options.get_socket().is_some() || options.get_host().starts_with('/')
}

/// Returns the password, from wherever sqlx took it.
pub(crate) fn password(options: &PgConnectOptions) -> Option<String> {
    // Only the password is read from this URL, and a user or host that fits no URL cannot spoil it.
    let url = options
        .clone()
        .username("user")
        .host("localhost")
        .to_url_lossy();
    let encoded = format!("p={}", url.password()?);
    let mut pairs = form_urlencoded::parse(encoded.as_bytes());
    pairs
        .next()
        .map(|(_, password)| password.into_owned())
        .filter(|password| !password.is_empty())
}
