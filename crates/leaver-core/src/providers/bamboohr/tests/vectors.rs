//! The accepted test vectors of BambooHR, parsed.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::domain::{Provider, Tenant};
use crate::providers::bamboohr::{form, payload};
use crate::providers::tests::{accepted, kind_word};
use crate::providers::{
    EntryError, FieldNames, Ignored, ParseError, Parsed, ProviderConfig, Tenancy, dates, normalize,
};

const BAMBOOHR: &str = include_str!("../../../../../../tests/vectors/bamboohr.json");

fn as_vector(event: &payload::Event) -> Value {
    let fields = event.fields.iter();
    let fields: Map<_, _> = fields
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    json!({
        "employee_id": event.employee_id.as_str(),
        "kind": kind_word(event.kind),
        "changed_fields": event.changed_fields,
        "fields": fields,
    })
}

fn events(body: &[u8]) -> Vec<Result<payload::Event, EntryError>> {
    if !body.starts_with(b"{") {
        return form::events(body);
    }
    let mut found = vec![];
    payload::read(body, |_, event| found.push(event)).unwrap();
    found
}

#[test]
fn vectors_are_parsed_as_expected() {
    let all = accepted(BAMBOOHR);
    assert_eq!(all.len(), 31);
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for vector in &all {
        let name = &vector["name"];
        let body = vector["body"].as_str().unwrap().as_bytes();
        let outcome = vector["expected"]["parse"].as_str().unwrap();
        *seen.entry(outcome).or_default() += 1;
        let provider_config = ProviderConfig {
            provider: Provider::BambooHr,
            fields: FieldNames::default(),
            tenancy: Tenancy::One(Tenant::new("acme")),
            ignored_accounts: std::collections::HashSet::new(),
            timezone: chrono_tz::Tz::UTC,
            position: crate::providers::PositionFacts::NONE,
        };
        let parsed = normalize(&provider_config, body);
        match outcome {
            "ok" => {
                let found = events(body);
                let events: Vec<_> = found.iter().flatten().map(as_vector).collect();
                assert_eq!(Value::from(events), vector["expected_events"], "{name}");
                let time = vector["event_time_utc"].as_str().and_then(dates::instant);
                assert!(
                    time.is_none() || time == found[0].as_ref().unwrap().at,
                    "{name}"
                );
                let Ok(Parsed::Changes(changes)) = parsed else {
                    panic!("{name}: {parsed:?}");
                };
                assert!(changes.bad_entries.is_empty(), "{name}");
                assert_eq!(changes.changes.len(), found.len(), "{name}");
            }
            "ignored" => assert_eq!(parsed, Ok(Parsed::Ignored(Ignored::Company)), "{name}"),
            "empty" => assert_eq!(parsed, Ok(Parsed::Ignored(Ignored::Empty)), "{name}"),
            "error" => {
                let place = ParseError::NotJson {
                    line: 1,
                    column: 14,
                };
                assert_eq!(parsed, Err(place), "{name}");
            }
            other => panic!("{name}: {other}"),
        }
    }
    assert_eq!(
        seen,
        HashMap::from([("ok", 28), ("ignored", 1), ("empty", 1), ("error", 1)])
    );
}
