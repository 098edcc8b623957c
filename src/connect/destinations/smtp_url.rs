//! The address of a mail server.

use std::fmt;

use reqwest::Url;

use crate::connect::address::is_loopback;

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    /// TLS from the first byte: `smtps://`.
    Implicit,
    /// STARTTLS before anything else: `smtp://`.
    StartTls,
    /// None: `smtp://` on this machine.
    None,
}

/// A mail server, from a URL such as `smtps://user@mail.example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SmtpUrl {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) security: Security,
    pub(crate) user: Option<String>,
}

impl SmtpUrl {
    /// Parses a URL. The port is 465 for `smtps` and 587 for `smtp`, if it has none.
    ///
    /// # Errors
    /// Returns the cause, and what to write instead.
    pub(crate) fn parse(url: &Url) -> Result<Self, &'static str> {
        const FORM: &str =
            "it is not the URL of a mail server; write it like smtps://user@mail.example.com";
        let (security, port) = match url.scheme() {
            "smtps" => (Security::Implicit, 465),
            "smtp" if is_loopback(url) => (Security::None, 587),
            "smtp" => (Security::StartTls, 587),
            _ => return Err(FORM),
        };
        if !["", "/"].contains(&url.path()) || url.query().is_some() || url.fragment().is_some() {
            return Err("it has a path, a `?` or a `#`; end it after the host and port");
        }
        let host = url.host_str().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        // The host of a URL that is not http can contain escapes, which no name has.
        if host.is_empty() || host.contains('%') {
            return Err(FORM);
        }
        let user = decode(url.username()).ok_or("the user is not UTF-8; percent-encode it")?;
        if user.contains(char::is_control) {
            return Err("the user has a control character; remove it");
        }
        Ok(Self {
            host: host.to_ascii_lowercase(),
            port: url.port().unwrap_or(port),
            security,
            user: Some(user).filter(|user| !user.is_empty()),
        })
    }
}

impl fmt::Display for SmtpUrl {
    /// Writes the host and port.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Decodes `%40` and the like.
fn decode(text: &str) -> Option<String> {
    let mut bytes = vec![];
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = after.get(..2).filter(|_| *first == b'%');
        let escaped = escaped.and_then(|digits| hex::decode(digits).ok());
        let length = if escaped.is_some() { 3 } else { 1 };
        bytes.extend(escaped.unwrap_or_else(|| vec![*first]));
        rest = rest.get(length..)?;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<SmtpUrl, &'static str> {
        SmtpUrl::parse(&Url::parse(url).unwrap())
    }

    #[test]
    fn a_server_elsewhere_is_always_encrypted() {
        let of = |url| parse(url).map(|url| (url.security, url.port));
        assert_eq!(
            of("smtps://mail.example.com"),
            Ok((Security::Implicit, 465))
        );
        assert_eq!(of("smtp://mail.example.com"), Ok((Security::StartTls, 587)));
        assert_eq!(
            of("smtp://mail.example.com:25"),
            Ok((Security::StartTls, 25))
        );
        assert_eq!(of("smtp://10.0.0.1:25"), Ok((Security::StartTls, 25)));
        for local in [
            "smtp://localhost:25",
            "smtp://127.0.0.1:25",
            "smtp://[::1]:25",
        ] {
            assert_eq!(of(local), Ok((Security::None, 25)), "{local}");
        }
        assert_eq!(of("smtps://localhost"), Ok((Security::Implicit, 465)));
    }

    #[test]
    fn a_user_is_decoded() {
        let user = |url| parse(url).map(|url| url.user);
        assert_eq!(
            user("smtps://it%40example.com@mail.example.com"),
            Ok(Some("it@example.com".to_owned()))
        );
        assert_eq!(user("smtps://mail.example.com"), Ok(None));
        assert!(user("smtps://a%0d%0aRSET@mail.example.com").is_err());
        assert!(user("smtps://%ff@mail.example.com").is_err());
    }

    #[test]
    fn a_url_with_more_than_a_server_is_refused() {
        for url in [
            "smtps://m.example.com/x",
            "smtps://m.example.com?tls=none",
            "smtps://m.example.com#x",
            "https://m.example.com",
            "smtp:m",
        ] {
            assert!(parse(url).is_err(), "{url}");
        }
    }
}
