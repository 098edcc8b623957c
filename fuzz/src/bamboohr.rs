//! BambooHR's JSON bodies. An input is a body.

use leaver_core::domain::{ChangeKind, EmployeeChange, Facts, Provider, Tenant};
use leaver_core::providers::{FieldNames, ParseError, Parsed, ProviderConfig, Tenancy, normalize};

use super::sound;

const JSON: Option<&str> = Some("application/json; charset=utf-8");

/// Checks that a body is parsed, ignored or rejected, and that a missing content type makes no difference to JSON.
pub fn check(body: &[u8]) {
    let parsed = parse(JSON, body);
    if let Ok(Parsed::Changes(found)) = &parsed {
        assert!(!found.changes.is_empty() || !found.bad_entries.is_empty());
        sound::changes(found, Provider::BambooHr);
        for change in &found.changes {
            assert!(change.kind != ChangeKind::Deleted || change.facts == Facts::default());
        }
    }
    let untyped = parse(None, body);
    if matches!(body.trim_ascii_start().first(), Some(b'{' | b'[')) {
        assert_eq!(untyped, parsed);
    } else if !body.trim_ascii().is_empty() {
        assert!(parsed.is_err(), "an object begins with a brace");
    }
}

pub(crate) fn parse(content_type: Option<&str>, body: &[u8]) -> Result<Parsed, ParseError> {
    let provider_config = ProviderConfig {
        provider: Provider::BambooHr,
        fields: FieldNames::default(),
        tenancy: Tenancy::One(Tenant::new("acme")),
        timezone: chrono_tz::Tz::UTC,
    };
    normalize(&provider_config, content_type, body)
}

/// Returns the changes of a valid body.
pub(crate) fn changes(body: &str) -> Vec<EmployeeChange> {
    match parse(JSON, body.as_bytes()) {
        Ok(Parsed::Changes(found)) => found.changes,
        other => panic!("{other:?}"),
    }
}
