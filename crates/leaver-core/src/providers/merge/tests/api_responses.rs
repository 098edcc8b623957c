use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::domain::{ChangeKind, Field, Status, Tenant};
use crate::providers::*;

fn tenant() -> Tenant {
    Tenant::new("widgets")
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[test]
fn record_has_its_modification_time() {
    let record = json!({"id": "u-1", "employment_status": "INACTIVE", "modified_at": "2026-11-20T08:00:00.5Z"});
    let change =
        merge_record(&record, &PositionFacts::NONE, &tenant(), chrono_tz::Tz::UTC).unwrap();
    assert_eq!(change.kind, ChangeKind::Updated);
    assert_eq!(change.as_of, Some(at("2026-11-20T08:00:00.5Z")));
    assert_eq!(change.facts.status, Field::Value(Status::Inactive));
    assert_eq!(change.facts.termination_date, Field::Empty);
    assert!(!change.notification_only);
}

#[test]
fn record_of_nulls_is_rejected_unless_deleted() {
    let nulls =
        json!({"id": "u-1", "employment_status": null, "work_email": null, "first_name": "D"});
    assert_eq!(
        merge_record(&nulls, &PositionFacts::NONE, &tenant(), chrono_tz::Tz::UTC),
        Err(EntryError::NullRecord)
    );
    let removed = json!({"id": "u-1", "employment_status": null, "remote_was_deleted": true});
    let change = merge_record(
        &removed,
        &PositionFacts::NONE,
        &tenant(),
        chrono_tz::Tz::UTC,
    )
    .unwrap();
    assert_eq!(change.kind, ChangeKind::Deleted);
    assert_eq!(change.facts.status, Field::Absent);
}

#[test]
fn next_page_is_a_cursor_or_a_url_with_one() {
    let next = |next: Value| {
        let body = json!({"next": next, "results": []}).to_string();
        merge_page(
            body.as_bytes(),
            &PositionFacts::NONE,
            &tenant(),
            chrono_tz::Tz::UTC,
        )
        .map(|page| page.next)
    };
    assert_eq!(next(json!(null)), Ok(None));
    assert_eq!(next(json!("")), Ok(None));
    assert_eq!(
        next(json!("/cD0yMDI2+w==")),
        Ok(Some("/cD0yMDI2+w==".to_owned()))
    );
    let url = "https://api.merge.dev/api/hris/v1/employees?page_size=100&cursor=cD0%3D#x";
    assert_eq!(next(json!(url)), Ok(Some("cD0=".to_owned())));
    for unusable in [json!("https://api.merge.dev/?page=2"), json!(2)] {
        assert!(matches!(
            next(unusable),
            Err(InvalidResponse::WrongShape(_))
        ));
    }
}

#[test]
fn invalid_response_has_a_specific_error() {
    let tenant = tenant();
    let cases: [(&str, &str); 5] = [
        (r#"{"results": [{"id": "u-"#, "the JSON is truncated"),
        ("<html>", "it is not JSON"),
        ("[]", "it is not an object"),
        (r#"{"next": null}"#, "it has no list `results`"),
        (
            r#"{"next": null, "results": null}"#,
            "it has no list `results`",
        ),
    ];
    for (body, text) in cases {
        let bad = merge_page(
            body.as_bytes(),
            &PositionFacts::NONE,
            &tenant,
            chrono_tz::Tz::UTC,
        )
        .unwrap_err();
        assert_eq!(bad.to_string(), text, "{body}");
    }
}

#[test]
fn unsynced_model_is_uncertain() {
    let uncertainty = |entry: Value| {
        let body = json!({"next": null, "results": [entry]}).to_string();
        merge_sync_page(body.as_bytes()).unwrap().models[0].uncertainty()
    };
    let of = |status: &str, result: Value, finished: Value, initial: bool| {
        uncertainty(
            json!({"model_id": "hris.Employee", "model_name": "Employee", "status": status,
            "last_sync_result": result, "last_sync_finished": finished, "is_initial_sync": initial}),
        )
    };
    let when = || json!("2026-11-22T03:00:00Z");
    assert_eq!(of("DONE", json!("DONE"), when(), false), None);
    assert_eq!(of("DONE", json!("DONE"), when(), true), None);
    assert_eq!(of("SYNCING", json!("DONE"), when(), false), None);
    for (status, result, finished, initial) in [
        ("DISABLED", json!(null), json!(null), false),
        ("PAUSED", json!("DONE"), when(), false),
        ("FAILED", json!("FAILED"), when(), false),
        ("SYNCING", json!("FAILED"), when(), false),
        ("PARTIALLY_SYNCED", json!(null), when(), false),
        ("SYNCING", json!(null), when(), true),
        ("SYNCING", json!(null), json!(null), false),
        ("HIBERNATING", json!("DONE"), when(), false),
    ] {
        assert!(of(status, result, finished, initial).is_some(), "{status}");
    }
}
