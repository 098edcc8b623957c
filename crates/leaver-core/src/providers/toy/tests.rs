use bytes::Bytes;
use http::HeaderMap;

use crate::domain::{DateOrInstant, Field, Provider, Status, Tenant};
use crate::providers::{FieldNames, Parsed, ProviderConfig, Tenancy, normalize};
use crate::signature::tests::{at, key, source};
use crate::signature::{Layout, Rejection, Scheme};

fn scheme(secret: &str) -> Scheme {
    Scheme::new(
        Provider::Toy,
        vec![key(secret)],
        Layout::default(),
        chrono::TimeDelta::zero(),
    )
}

#[test]
fn new_provider_is_reached_by_every_dispatch() {
    assert!(Provider::all().any(|provider| provider == Provider::Toy));
    let word = serde_json::to_value(Provider::Toy).unwrap();
    assert_eq!(word, Provider::Toy.as_str());
    let scheme = scheme("k-one");
    assert_eq!(scheme.provider(), Provider::Toy);

    let body = Bytes::from(r#"{"person": "7", "gone_on": "2026-11-20"}"#);
    let headers: HeaderMap = scheme.sign(&body, at(0)).into_iter().collect();
    let delivery = scheme.verify(&source(), &headers, body, at(0)).unwrap();

    let config = ProviderConfig {
        provider: scheme.provider(),
        fields: FieldNames::default(),
        tenancy: Tenancy::One(Tenant::new("acme")),
        ignored_accounts: std::collections::HashSet::new(),
        timezone: chrono_tz::Tz::UTC,
        position: crate::providers::PositionFacts::NONE,
    };
    let Parsed::Changes(parsed) = normalize(&config, delivery.body()).unwrap() else {
        panic!("the body has a change");
    };
    let [change] = parsed.changes.as_slice() else {
        panic!("{parsed:?}");
    };
    assert_eq!(change.employee_id.as_str(), "7");
    assert_eq!(change.facts.status, Field::Value(Status::Inactive));
    let day = "2026-11-20".parse().unwrap();
    assert_eq!(
        change.facts.termination_date,
        Field::Value(DateOrInstant::Day(day))
    );
    assert!(Provider::Toy.capabilities().deletion_means_departure);
}

#[test]
fn keys_are_replaced_within_one_provider_only() {
    let mut current = scheme("k-one");
    let merge = Scheme::Merge {
        keys: vec![key("k-two")],
    };
    assert!(!current.replace_keys(&merge));
    assert!(current.replace_keys(&scheme("k-two")));
    let headers: HeaderMap = scheme("k-one").sign(b"{}", at(0)).into_iter().collect();
    let verdict = current.verify(&source(), &headers, Bytes::from("{}"), at(0));
    assert_eq!(verdict, Err(Rejection::WrongSignature));
}
