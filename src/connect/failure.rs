//! The cause of a failed request, in words. The texts of the HTTP library name parts of it, and its URL may hold an id.

use std::error::Error;
use std::io;

use rustls::{CertificateError, Error as TlsError};

use crate::db::error::network;

/// Longest text of a cause without words of its own, in characters.
const MAX_CHARS: usize = 120;

/// Returns the cause of an error in words, without a URL.
#[must_use]
pub(crate) fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no response in time".to_owned();
    }
    below(error)
}

/// Returns the cause below an error in words: of a connection, of TLS. It must not quote a response.
#[must_use]
pub(crate) fn below(error: &dyn Error) -> String {
    in_words(error.source())
}

/// Returns an I/O error in words.
#[must_use]
pub(crate) fn of_io(error: &io::Error) -> String {
    in_words(Some(error))
}

fn in_words(mut next: Option<&(dyn Error + 'static)>) -> String {
    let mut last = None;
    while let Some(error) = next {
        if let Some(text) = known(error) {
            return text;
        }
        last = Some(error);
        next = inner(error);
    }
    let text = last.map_or_else(|| "the connection was lost".to_owned(), ToString::to_string);
    text.chars().take(MAX_CHARS).collect()
}

/// Returns the next error below. An I/O error leaves out the error that it wraps.
fn inner<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    let wrapped = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    match wrapped {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

fn known(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<TlsError>() {
        return Some(of_tls(error));
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return network::in_words(error).map(str::to_owned);
    }
    let text = error.to_string();
    let parts = [
        ("dns error", "host not found"),
        (
            "connection closed before message completed",
            "the connection was closed before a response",
        ),
        ("invalid HTTP", "the response is not HTTP"),
    ];
    let found = parts.iter().find(|(part, _)| text.contains(part));
    found.map(|(_, words)| (*words).to_owned())
}

fn of_tls(error: &TlsError) -> String {
    let text = match error {
        TlsError::InvalidCertificate(reason) => of_certificate(reason),
        TlsError::InvalidMessage(_) => "the port does not speak TLS".to_owned(),
        TlsError::AlertReceived(_) => "the server ended the TLS handshake".to_owned(),
        other => other.to_string(),
    };
    format!("TLS failed: {text}")
}

fn of_certificate(reason: &CertificateError) -> String {
    match reason {
        CertificateError::UnknownIssuer => "no CA known to this machine signed the certificate",
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the certificate has expired"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate is not valid yet; compare the clocks"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the certificate names another host"
        }
        other => return format!("the certificate is refused ({other})"),
    }
    .to_owned()
}
