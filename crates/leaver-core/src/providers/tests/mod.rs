use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::domain::{ChangeKind, Tenant};

mod midnights;
mod reading;
mod slices;

pub(super) fn provider_config(provider: Provider) -> ProviderConfig {
    ProviderConfig {
        provider,
        fields: FieldNames::default(),
        tenancy: Tenancy::One(Tenant::new("acme")),
        ignored_accounts: std::collections::HashSet::new(),
        timezone: chrono_tz::Tz::UTC,
        position: PositionFacts::NONE,
    }
}

/// The vectors of a file whose signature is accepted.
pub(super) fn accepted(text: &str) -> Vec<Value> {
    let mut file: Value = serde_json::from_str(text).unwrap();
    let mut vectors: Vec<Value> = serde_json::from_value(file["vectors"].take()).unwrap();
    vectors.retain(|vector| vector["expected"]["verdict"] == "accept");
    vectors
}

/// The word of the vector files for a kind.
pub(super) fn kind_word(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Created => "created",
        ChangeKind::Updated => "updated",
        ChangeKind::Deleted => "deleted",
    }
}

pub(super) fn day(text: &str) -> chrono::NaiveDate {
    text.parse().unwrap()
}

#[test]
fn parse_errors_have_a_position_and_no_content() {
    let deep = "[".repeat(100_000);
    let deep_object = r#"{"dana":"#.repeat(100_000);
    let mut shown = Vec::new();
    for body in [
        r#"{"employees": [{"dana": "dana"#,
        r#"{"employees": [], "dana": dana}"#,
        r#"{"employees": [{"id": 1, "dana": 1,"#,
        r#"{"type": "dana", "hook": {}, "type": "dana", "hook": {}}"#,
        r#"{"dana": "dana"}"#,
        r#"{"employees": "dana"}"#,
        "[\"dana\"]",
        "dana=dana",
        "[\"dana\"",
        &deep,
        &deep_object,
    ] {
        for provider in [Provider::BambooHr, Provider::Merge] {
            let Err(error) = normalize(&provider_config(provider), body.as_bytes()) else {
                assert_eq!(provider, Provider::Merge);
                continue;
            };
            assert!(!format!("{error} {error:?}").contains("dana"));
            let word = <&str>::from(error);
            shown.push(format!("{provider}: {word} - {error}"));
        }
    }
    insta::assert_snapshot!(shown.join("\n"), @r"
    bamboohr: not_json - the body is not JSON or is truncated (line 1, column 29)
    merge: not_json - the body is not JSON or is truncated (line 1, column 29)
    bamboohr: not_json - the body is not JSON or is truncated (line 1, column 27)
    merge: not_json - the body is not JSON or is truncated (line 1, column 27)
    bamboohr: not_json - the body is not JSON or is truncated (line 1, column 35)
    merge: not_json - the body is not JSON or is truncated (line 1, column 35)
    bamboohr: unreadable_member - the body's `type` is repeated or cannot be read
    merge: unreadable_member - the body's `hook` is repeated or cannot be read
    bamboohr: no_employees - the body has neither employees nor an event type
    bamboohr: no_employees - the body has neither employees nor an event type
    bamboohr: not_an_object - the body is JSON, but not an object
    merge: not_an_object - the body is JSON, but not an object
    bamboohr: no_employees - the body has neither employees nor an event type
    merge: not_json - the body is not JSON or is truncated (line 1, column 1)
    bamboohr: not_json - the body is not JSON or is truncated (line 1, column 7)
    merge: not_json - the body is not JSON or is truncated (line 1, column 7)
    bamboohr: not_json - the body is not JSON or is truncated (line 1, column 100000)
    merge: not_json - the body is not JSON or is truncated (line 1, column 100000)
    bamboohr: not_json - the body is not JSON or is truncated (line 1, column 800000)
    merge: not_json - the body is not JSON or is truncated (line 1, column 800000)
    ");
}

#[test]
fn error_sent_with_status_200_is_found() {
    assert_eq!(
        error_in_success(br#"{"error":{"code":429,"message":"slow down"}}"#),
        Some(429)
    );
    assert_eq!(error_in_success(br#"{"error":{"code":"503"}}"#), Some(503));
    for harmless in [
        r#"{"error":{"code":"BadPage"}}"#,
        r#"{"error":null}"#,
        "[]",
        "<html>",
        r#"{"error":{"code":200}}"#,
    ] {
        assert_eq!(error_in_success(harmless.as_bytes()), None, "{harmless}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_not_panic(body: Vec<u8>) {
        for provider in [Provider::BambooHr, Provider::Merge] {
            let _ = normalize(&provider_config(provider), &body);
        }
    }

    #[test]
    fn arbitrary_shapes_do_not_panic(body in shapes(), form in "(&?(type|data|employees|\\[|\\]|=|id|status|%C3|é)){0,40}") {
        for provider in [Provider::BambooHr, Provider::Merge] {
            let _ = normalize(&provider_config(provider), body.to_string().as_bytes());
            let _ = normalize(&provider_config(provider), form.as_bytes());
        }
    }
}

/// JSON with the members that are parsed, and arbitrary values.
pub(super) fn shapes() -> impl Strategy<Value = Value> {
    let names = "employees|id|action|timestamp|changedFields|fields|value|status|Hire Date|type|\
        data|employeeId|hook|event|linked_account|account_type|employment_status|modified_at|\
        termination_date|work_email|start_date|remote_was_deleted";
    let texts = "employee\\.updated|Employee\\.changed|[0-9]{4}-[01][0-9]-[0-3][0-9]|\\PC{0,12}|\
        [0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](\\.[0-9]{1,12})?(Z|\\+0000|-23:59)";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        texts.prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(names, inner, 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}
