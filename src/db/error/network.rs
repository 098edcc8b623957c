//! Errors of the network in words. The texts of the operating system name its functions and numbers.

use std::io;

/// Returns the words for an I/O error, if it is one of the network.
#[must_use]
pub(crate) fn in_words(error: &io::Error) -> Option<&'static str> {
    // An error that wraps another has a text of its own.
    if error.get_ref().is_some() {
        let is_lookup = error.to_string().contains("failed to lookup address");
        return is_lookup.then_some("host not found");
    }
    Some(match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused",
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => "the connection was closed",
        io::ErrorKind::TimedOut => "no response in time",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            "the network does not reach this address"
        }
        _ => return None,
    })
}
