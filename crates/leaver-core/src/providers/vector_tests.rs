//! Every accepted test vector of both providers, against its meaning.

use serde_json::{Map, Value, json};

use super::*;
use crate::domain::{ChangeKind, DateOrInstant, Field};

const BAMBOOHR: &str = include_str!("../../../../tests/vectors/bamboohr.json");
const MERGE: &str = include_str!("../../../../tests/vectors/merge.json");

fn accepted(text: &str) -> Vec<Value> {
    let mut file: Value = serde_json::from_str(text).unwrap();
    let mut vectors: Vec<Value> = serde_json::from_value(file["vectors"].take()).unwrap();
    vectors.retain(|vector| vector["expected"]["verdict"] == "accept");
    vectors
}

fn word(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Created => "created",
        ChangeKind::Updated => "updated",
        ChangeKind::Deleted => "deleted",
    }
}

fn as_vector(event: &bamboohr::Event) -> Value {
    let fields = event.fields.iter();
    let fields: Map<_, _> = fields
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    json!({
        "employee_id": event.employee_id.as_str(),
        "kind": word(event.kind),
        "changed_fields": event.changed_fields,
        "fields": fields,
    })
}

#[test]
fn every_bamboohr_vector_has_its_meaning() {
    let all = accepted(BAMBOOHR);
    assert_eq!(all.len(), 31);
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for vector in &all {
        let name = &vector["name"];
        let body = vector["body"].as_str().unwrap().as_bytes();
        let content_type = vector["content_type"].as_str();
        let outcome = vector["expected"]["parse"].as_str().unwrap();
        *seen.entry(outcome).or_default() += 1;
        let provider_config = ProviderConfig {
            provider: Provider::BambooHr,
            fields: FieldNames::default(),
            tenancy: Tenancy::One(Tenant::new("acme")),
        };
        let meaning = normalize(&provider_config, content_type, body);
        match outcome {
            "ok" => {
                let reading = bamboohr::read(content_type, body).unwrap().ok().unwrap();
                let events: Vec<_> = reading.events.iter().map(as_vector).collect();
                assert_eq!(Value::from(events), vector["expected_events"], "{name}");
                let time = vector["event_time_utc"].as_str().and_then(dates::instant);
                assert!(time.is_none() || time == reading.events[0].at, "{name}");
                let Ok(Parsed::Changes(changes)) = meaning else {
                    panic!("{name}: {meaning:?}");
                };
                assert!(changes.bad_entries.is_empty(), "{name}");
                assert_eq!(changes.changes.len(), reading.events.len(), "{name}");
            }
            "ignored" => assert_eq!(meaning, Ok(Parsed::Ignored(Ignored::Company)), "{name}"),
            "empty" => assert_eq!(meaning, Ok(Parsed::Ignored(Ignored::Empty)), "{name}"),
            "error" => {
                let place = ParseError::NotJson {
                    line: 1,
                    column: 14,
                };
                assert_eq!(meaning, Err(place), "{name}");
            }
            other => panic!("{name}: {other}"),
        }
    }
    assert_eq!(
        seen,
        HashMap::from([("ok", 28), ("ignored", 1), ("empty", 1), ("error", 1)])
    );
}

fn as_normalized(event: &merge::Event) -> Value {
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
        Err(not_ours) => {
            normalized["kind"] = match not_ours {
                Ignored::Ping => "test_ping",
                Ignored::SyncReport => "sync_completed",
                Ignored::OtherModel | Ignored::UnknownEvent => "ignored",
                other => other.into(),
            }
            .into();
            return normalized;
        }
    };
    let change = merge::change(employee, &Tenant::new("acme")).unwrap();
    normalized["employee_id"] = change.employee_id.as_str().into();
    normalized["kind"] = match change.kind {
        ChangeKind::Updated => "employee_changed".into(),
        kind => format!("employee_{}", word(kind)).into(),
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
fn every_merge_vector_has_its_meaning() {
    let all = accepted(MERGE);
    assert_eq!(all.len(), 47);
    let mut unreadable = Vec::new();
    for vector in &all {
        let name = vector["name"].as_str().unwrap();
        let body = vector["body"].as_str().unwrap();
        let normalized = &vector["expected"]["normalized"];
        let Ok(event) = merge::read(body.as_bytes()) else {
            assert!(normalized.is_null(), "{name}");
            unreadable.push(name);
            continue;
        };
        assert_eq!(&as_normalized(&event), normalized, "{name}");
    }
    assert_eq!(
        unreadable,
        [
            "duplicate_hook_member",
            "malformed_json_valid_signature",
            "empty_body_valid_signature"
        ]
    );
}

#[test]
fn of_the_merge_vectors_only_registered_accounts_are_ours() {
    let registered = "5b0f3a9e-1c2d-4e3f-8a4b-6c7d8e9f0a1b";
    let provider_config = ProviderConfig {
        provider: Provider::Merge,
        fields: FieldNames::default(),
        tenancy: Tenancy::ByLinkedAccount(HashMap::from([(
            registered.to_owned(),
            Tenant::new("acme"),
        )])),
    };
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for vector in &accepted(MERGE) {
        let body = vector["body"].as_str().unwrap();
        let outcome = match normalize(&provider_config, None, body.as_bytes()) {
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
            Ok(Parsed::Ignored(not_ours)) => not_ours.into(),
            Err(unreadable) => unreadable.into(),
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
    repeated_member: 1
    sync_report: 2
    unknown_event: 1
    unknown_linked_account: 1
    ");
}
