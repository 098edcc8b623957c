//! The accepted test vectors of Merge, parsed.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::domain::{ChangeKind, DateOrInstant, Field, Provider, Status, Tenant, WorkEmail};
use crate::providers::merge::payload;
use crate::providers::tests::{accepted, kind_word};
use crate::providers::{
    FieldNames, Ignored, Parsed, PositionFacts, ProviderConfig, Tenancy, normalize,
};

const MERGE: &str = include_str!("../../../../../../tests/vectors/merge.json");

fn as_normalized(event: &payload::Event) -> Value {
    let mut normalized = json!({
        "tenant": event.linked_account,
        "employee_id": null,
        "kind": null,
        "status": null,
        "termination_date": null,
        "work_email": null,
    });
    let employee = match &event.subject {
        Ok(employee) => employee,
        Err(ignored) => {
            normalized["kind"] = match ignored {
                Ignored::Ping => "test_ping",
                Ignored::SyncReport => "sync_completed",
                Ignored::OtherModel | Ignored::UnknownEvent => "ignored",
                other => other.into(),
            }
            .into();
            return normalized;
        }
    };
    let change = payload::change(
        employee,
        &PositionFacts::NONE,
        &Tenant::new("acme"),
        chrono_tz::Tz::UTC,
    )
    .unwrap();
    normalized["employee_id"] = change.employee_id.as_str().into();
    normalized["kind"] = match change.kind {
        ChangeKind::Updated => "employee_changed".into(),
        kind => format!("employee_{}", kind_word(kind)).into(),
    };
    normalized["status"] = match change.facts.status.value() {
        None => Value::Null,
        Some(Status::Active) => "active".into(),
        Some(Status::Pending) => "pending".into(),
        Some(Status::Inactive) => "inactive".into(),
        Some(Status::Unknown(_)) => "unknown".into(),
    };
    normalized["termination_date"] = match change.facts.termination_date.value() {
        None => Value::Null,
        Some(DateOrInstant::Day(day)) => format!("{day}T00:00:00Z").into(),
        Some(DateOrInstant::Instant(at)) => at.format("%FT%TZ").to_string().into(),
    };
    let email = change.facts.work_email.value();
    normalized["work_email"] = email.map(WorkEmail::expose).into();
    normalized
}

#[test]
fn vectors_are_parsed_as_expected() {
    let all = accepted(MERGE);
    assert_eq!(all.len(), 47);
    let mut rejected = Vec::new();
    for vector in &all {
        let name = vector["name"].as_str().unwrap();
        let body = vector["body"].as_str().unwrap();
        let normalized = &vector["expected"]["normalized"];
        let Ok(event) = payload::parse(body.as_bytes(), &PositionFacts::NONE) else {
            assert!(normalized.is_null(), "{name}");
            rejected.push(name);
            continue;
        };
        assert_eq!(&as_normalized(&event), normalized, "{name}");
    }
    assert_eq!(
        rejected,
        [
            "duplicate_hook_member",
            "malformed_json_valid_signature",
            "empty_body_valid_signature"
        ]
    );
}

#[test]
fn unregistered_linked_accounts_are_ignored() {
    let registered = "5b0f3a9e-1c2d-4e3f-8a4b-6c7d8e9f0a1b";
    let provider_config = ProviderConfig {
        provider: Provider::Merge,
        fields: FieldNames::default(),
        tenancy: Tenancy::ByLinkedAccount(HashMap::from([(
            registered.to_owned(),
            Tenant::new("acme"),
        )])),
        ignored_accounts: std::collections::HashSet::new(),
        timezone: chrono_tz::Tz::UTC,
        position: PositionFacts::NONE,
    };
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for vector in &accepted(MERGE) {
        let body = vector["body"].as_str().unwrap();
        let outcome = match normalize(&provider_config, body.as_bytes()) {
            Ok(Parsed::Changes(changes)) => {
                assert!(changes.bad_entries.is_empty() && changes.has_event_times());
                let [change] = changes.changes.as_slice() else {
                    panic!("{}", vector["name"]);
                };
                assert_eq!(change.tenant.as_str(), "acme");
                assert!(!change.notification_only);
                assert!(
                    change.facts.status == Field::Absent
                        || change.facts.termination_date != Field::Absent
                        || vector["name"] == "employee_changed_unparseable_termination"
                );
                "changes"
            }
            Ok(Parsed::Ignored(ignored)) => ignored.into(),
            Err(error) => error.into(),
        };
        *seen.entry(outcome).or_default() += 1;
    }
    let mut seen: Vec<_> = seen
        .iter()
        .map(|(word, n)| format!("{word}: {n}"))
        .collect();
    seen.sort_unstable();
    insta::assert_snapshot!(seen.join("\n"), @r"
    account_deleted: 1
    account_issue: 1
    account_linked: 1
    changes: 34
    empty: 1
    not_json: 1
    other_model: 2
    ping: 1
    sync_report: 2
    test_account: 1
    unknown_event: 1
    unreadable_member: 1
    ");
}
