//! Merge's bodies. An input is a body.

use std::collections::HashMap;

use leaver_core::domain::{EmployeeChange, Provider, Tenant};
use leaver_core::providers::{
    FieldNames, Ignored, ParseError, Parsed, PositionFacts, ProviderConfig, Tenancy, merge_record,
    normalize,
};
use serde_json::Value;

use super::sound;

/// The linked account of the test vectors.
const ACCOUNT: &str = "5b0f3a9e-1c2d-4e3f-8a4b-6c7d8e9f0a1b";

/// Checks that a body is parsed, ignored or rejected, and that listing linked accounts only ever excludes employees.
pub fn check(body: &[u8]) {
    let unlisted = parse(Tenancy::One(Tenant::new("acme")), body);
    let listed = HashMap::from([(ACCOUNT.to_owned(), Tenant::new("acme"))]);
    let listed = parse(Tenancy::ByLinkedAccount(listed), body);
    match (&unlisted, &listed) {
        // A test account counts if it is listed.
        (Ok(Parsed::Ignored(Ignored::TestAccount)), _)
        | (Ok(Parsed::Changes(_)), Ok(Parsed::Ignored(Ignored::UnknownLinkedAccount))) => {}
        _ => assert_eq!(unlisted, listed),
    }
    if let Ok(Parsed::Changes(found)) = &unlisted {
        assert_eq!(found.changes.len() + found.bad_entries.len(), 1);
        sound::changes(found, Provider::Merge);
        assert!(found.changes.iter().all(|change| !change.notification_only));
    }
    if let Ok(record) = serde_json::from_slice::<Value>(body)
        && let Ok(change) = merge_record(
            &record,
            &PositionFacts::NONE,
            &Tenant::new("acme"),
            chrono_tz::Tz::UTC,
        )
    {
        sound::all(&[change], Provider::Merge);
    }
}

fn parse(tenancy: Tenancy, body: &[u8]) -> Result<Parsed, ParseError> {
    let provider_config = ProviderConfig {
        provider: Provider::Merge,
        fields: FieldNames::default(),
        tenancy,
        ignored_accounts: std::collections::HashSet::new(),
        timezone: chrono_tz::Tz::UTC,
        position: PositionFacts::NONE,
    };
    normalize(&provider_config, body)
}

/// Returns the changes of a valid body.
pub(crate) fn changes(body: &str) -> Vec<EmployeeChange> {
    match parse(Tenancy::One(Tenant::new("acme")), body.as_bytes()) {
        Ok(Parsed::Changes(found)) => found.changes,
        other => panic!("{other:?}"),
    }
}
