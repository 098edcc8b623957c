//! BambooHR's JSON bodies. An input is a body.

use leaver_core::domain::{ChangeKind, EmployeeChange, Facts, Provider, Tenant};
use leaver_core::providers::{FieldNames, ParseError, Parsed, ProviderConfig, Tenancy, normalize};

use super::sound;

const JSON: Option<&str> = Some("application/json; charset=utf-8");

/// A body is read, ignored or refused, and means the same without a content type when it shows what it is.
pub fn check(body: &[u8]) {
    let meaning = meaning(JSON, body);
    if let Ok(Parsed::Changes(said)) = &meaning {
        assert!(!said.changes.is_empty() || !said.bad_entries.is_empty());
        sound::changes(said, Provider::BambooHr);
        for change in &said.changes {
            assert!(change.kind != ChangeKind::Deleted || change.facts == Facts::default());
        }
    }
    let untyped = self::meaning(None, body);
    if matches!(body.trim_ascii_start().first(), Some(b'{' | b'[')) {
        assert_eq!(untyped, meaning);
    } else if !body.trim_ascii().is_empty() {
        assert!(meaning.is_err(), "an object begins with a brace");
    }
}

pub(crate) fn meaning(content_type: Option<&str>, body: &[u8]) -> Result<Parsed, ParseError> {
    let provider_config = ProviderConfig {
        provider: Provider::BambooHr,
        fields: FieldNames::default(),
        tenancy: Tenancy::One(Tenant::new("acme")),
    };
    normalize(&provider_config, content_type, body)
}

/// What a body says that is known to be good.
pub(crate) fn changes(body: &str) -> Vec<EmployeeChange> {
    match meaning(JSON, body.as_bytes()) {
        Ok(Parsed::Changes(said)) => said.changes,
        other => panic!("{other:?}"),
    }
}
