//! The form decoder: BambooHR's bodies of bracketed keys. An input is a body.

use leaver_core::domain::Provider;
use leaver_core::providers::Parsed;

use super::{bamboohr, sound};

const FORM: Option<&str> = Some("application/x-www-form-urlencoded");

/// A form is read, ignored or refused, and means the same however its characters are encoded.
pub fn check(body: &[u8]) {
    let meaning = bamboohr::meaning(FORM, body);
    if let Ok(Parsed::Changes(said)) = &meaning {
        assert!(!said.changes.is_empty() || !said.bad_entries.is_empty());
        sound::changes(said, Provider::BambooHr);
    }
    if body.trim_ascii().is_empty() {
        return;
    }
    let pairs = form_urlencoded::parse(body);
    let encoded = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    if !encoded.is_empty() {
        assert_eq!(bamboohr::meaning(FORM, encoded.as_bytes()), meaning);
    }
    if !matches!(body.trim_ascii_start().first(), Some(b'{' | b'[')) {
        assert_eq!(bamboohr::meaning(Some("text/plain"), body), meaning);
    }
}
