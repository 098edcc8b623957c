//! BambooHR's form bodies. An input is a body.

use leaver_core::domain::Provider;
use leaver_core::providers::Parsed;

use super::{bamboohr, sound};

const FORM: Option<&str> = Some("application/x-www-form-urlencoded");

/// Checks that a form is parsed, ignored or rejected, independently of how its characters are encoded.
pub fn check(body: &[u8]) {
    let parsed = bamboohr::parse(FORM, body);
    if let Ok(Parsed::Changes(found)) = &parsed {
        assert!(!found.changes.is_empty() || !found.bad_entries.is_empty());
        sound::changes(found, Provider::BambooHr);
    }
    if body.trim_ascii().is_empty() {
        return;
    }
    let pairs = form_urlencoded::parse(body);
    let encoded = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    if !encoded.is_empty() {
        assert_eq!(bamboohr::parse(FORM, encoded.as_bytes()), parsed);
    }
    if !matches!(body.trim_ascii_start().first(), Some(b'{' | b'[')) {
        assert_eq!(bamboohr::parse(Some("text/plain"), body), parsed);
    }
}
