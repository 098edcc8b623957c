//! Merge's bodies. An input is a body.

use std::collections::HashMap;

use leaver_core::domain::{EmployeeChange, Provider, Tenant};
use leaver_core::providers::{
    FieldNames, Ignored, ParseError, Parsed, ProviderConfig, Tenancy, merge_record, normalize,
};
use serde_json::Value;

use super::sound;

/// The linked account of the test vectors.
const ACCOUNT: &str = "5b0f3a9e-1c2d-4e3f-8a4b-6c7d8e9f0a1b";

/// A body is read, ignored or refused; a list of linked accounts only ever narrows whom it is about.
pub fn check(body: &[u8]) {
    let anybody = meaning(Tenancy::One(Tenant::new("acme")), body);
    let listed = HashMap::from([(ACCOUNT.to_owned(), Tenant::new("acme"))]);
    let listed = meaning(Tenancy::ByLinkedAccount(listed), body);
    match (&anybody, &listed) {
        // Whoever lists a test account means it.
        (Ok(Parsed::Ignored(Ignored::TestAccount)), _)
        | (Ok(Parsed::Changes(_)), Ok(Parsed::Ignored(Ignored::UnknownLinkedAccount))) => {}
        _ => assert_eq!(anybody, listed),
    }
    if let Ok(Parsed::Changes(said)) = &anybody {
        assert_eq!(said.changes.len() + said.bad_entries.len(), 1);
        sound::changes(said, Provider::Merge);
        assert!(said.changes.iter().all(|change| !change.notification_only));
    }
    if let Ok(record) = serde_json::from_slice::<Value>(body)
        && let Ok(change) = merge_record(&record, &Tenant::new("acme"))
    {
        sound::all(&[change], Provider::Merge);
    }
}

fn meaning(tenancy: Tenancy, body: &[u8]) -> Result<Parsed, ParseError> {
    let provider_config = ProviderConfig {
        provider: Provider::Merge,
        fields: FieldNames::default(),
        tenancy,
    };
    normalize(&provider_config, None, body)
}

/// What a body says that is known to be good.
pub(crate) fn changes(body: &str) -> Vec<EmployeeChange> {
    match meaning(Tenancy::One(Tenant::new("acme")), body.as_bytes()) {
        Ok(Parsed::Changes(said)) => said.changes,
        other => panic!("{other:?}"),
    }
}
