//! BambooHR's form bodies. An input is a body.

use leaver_core::domain::Provider;
use leaver_core::providers::{Ignored, Parsed};

use super::{bamboohr, sound};

/// Checks that a form is parsed, ignored or rejected, independently of how its characters are encoded.
pub fn check(body: &[u8]) {
    let parsed = bamboohr::parse(body);
    if let Ok(Parsed::Changes(found)) = &parsed {
        assert!(!found.changes.is_empty() || !found.bad_entries.is_empty());
        sound::changes(found, Provider::BambooHr);
    }
    // Encoded, the first brace of JSON would be a character of a key.
    let is_form = !matches!(start(body).first(), Some(b'{' | b'['));
    if !is_form || parsed == Ok(Parsed::Ignored(Ignored::Empty)) {
        return;
    }
    let pairs = form_urlencoded::parse(body);
    let encoded = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    if !encoded.is_empty() {
        assert_eq!(bamboohr::parse(encoded.as_bytes()), parsed);
    }
}

/// Skips what the parser skips.
fn start(body: &[u8]) -> &[u8] {
    let mut body = body.trim_ascii_start();
    while let Some(rest) = body.strip_prefix(b"\xEF\xBB\xBF") {
        body = rest.trim_ascii_start();
    }
    body
}
