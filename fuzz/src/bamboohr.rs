//! BambooHR's JSON bodies. An input is a body.

use leaver_core::domain::{ChangeKind, EmployeeChange, Facts, Provider, Tenant};
use leaver_core::providers::{
    FieldNames, ParseError, Parsed, PositionFacts, ProviderConfig, Tenancy, normalize,
};

use super::sound;

/// Checks that a body is parsed, ignored or rejected, and that a byte order mark makes no difference.
pub fn check(body: &[u8]) {
    let parsed = parse(body);
    if let Ok(Parsed::Changes(found)) = &parsed {
        assert!(!found.changes.is_empty() || !found.bad_entries.is_empty());
        sound::changes(found, Provider::BambooHr);
        for change in &found.changes {
            assert!(change.kind != ChangeKind::Deleted || change.facts == Facts::default());
        }
    }
    let marked = [b"\xEF\xBB\xBF", body].concat();
    assert_eq!(parse(&marked), parsed);
}

pub(crate) fn parse(body: &[u8]) -> Result<Parsed, ParseError> {
    let provider_config = ProviderConfig {
        provider: Provider::BambooHr,
        fields: FieldNames::default(),
        tenancy: Tenancy::One(Tenant::new("acme")),
        ignored_accounts: std::collections::HashSet::new(),
        timezone: chrono_tz::Tz::UTC,
        position: PositionFacts::NONE,
    };
    normalize(&provider_config, body)
}

/// Returns the changes of a valid body.
pub(crate) fn changes(body: &str) -> Vec<EmployeeChange> {
    match parse(body.as_bytes()) {
        Ok(Parsed::Changes(found)) => found.changes,
        other => panic!("{other:?}"),
    }
}
