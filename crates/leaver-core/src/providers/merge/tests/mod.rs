use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::domain::{ChangeKind, DateOrInstant, Facts, Field, Status, Tenant};
use crate::providers::tests::{day, provider_config};
use crate::providers::*;

mod api_responses;
mod vectors;

fn envelope(event: &str, data: &Value) -> Value {
    json!({"hook": {"event": event}, "linked_account": {"id": "la-1"}, "data": data})
}

fn parse(body: &Value) -> Parsed {
    normalize(
        &provider_config(Provider::Merge),
        body.to_string().as_bytes(),
    )
    .unwrap()
}

fn only(event: &str, record: Value) -> EmployeeChange {
    let mut record = record;
    record["id"] = "e-1".into();
    match parse(&envelope(event, &record)) {
        Parsed::Changes(mut changes) => changes.changes.remove(0),
        Parsed::Ignored(ignored) => panic!("{ignored}"),
    }
}

/// The facts of a record with the given members and a status.
fn facts(mut record: Value) -> Facts {
    record["employment_status"] = "INACTIVE".into();
    only("Employee.changed", record).facts
}

#[test]
fn event_name_matches_as_a_whole_in_any_case() {
    for (event, expected) in [
        ("Employee.added", Ok(ChangeKind::Created)),
        ("employee.CREATED", Ok(ChangeKind::Created)),
        ("Employee.changed", Ok(ChangeKind::Updated)),
        ("employee.updated", Ok(ChangeKind::Updated)),
        ("Employee.removed", Ok(ChangeKind::Deleted)),
        ("Employee.deleted", Ok(ChangeKind::Deleted)),
        ("Employee.synced", Err(Ignored::SyncReport)),
        ("LinkedAccount.sync_completed", Err(Ignored::SyncReport)),
        ("LinkedAccount.synced", Err(Ignored::SyncReport)),
        (
            "LinkedAccount.fully_synced_initial",
            Err(Ignored::SyncReport),
        ),
        ("LinkedAccount.synced_initial", Err(Ignored::SyncReport)),
        ("LinkedAccount.linked", Err(Ignored::AccountLinked)),
        ("LinkedAccount.deleted", Err(Ignored::AccountDeleted)),
        ("LinkedAccount.status_changed", Err(Ignored::UnknownEvent)),
        ("Issue.new", Err(Ignored::AccountIssue)),
        ("Issue.created", Err(Ignored::AccountIssue)),
        ("Employment.changed", Err(Ignored::OtherModel)),
        ("EmployeePayrollRun.removed", Err(Ignored::OtherModel)),
        ("TimeOff.synced", Err(Ignored::OtherModel)),
        ("Employee", Err(Ignored::UnknownEvent)),
        ("Employee.changed.twice", Err(Ignored::UnknownEvent)),
        ("Employee.terminated", Err(Ignored::UnknownEvent)),
        ("AsyncPost.completed", Err(Ignored::UnknownEvent)),
        ("", Err(Ignored::UnknownEvent)),
        (".changed", Err(Ignored::UnknownEvent)),
    ] {
        let kind = match parse(&envelope(event, &json!({"id": "e-1"}))) {
            Parsed::Changes(changes) => Ok(changes.changes[0].kind),
            Parsed::Ignored(ignored) => Err(ignored),
        };
        assert_eq!(kind, expected, "{event}");
    }
}

#[test]
fn body_without_hook_is_a_connection_test() {
    for body in [json!({"response": "ok"}), json!({}), json!({"hook": null})] {
        assert_eq!(parse(&body), Parsed::Ignored(Ignored::Ping));
    }
    for hook in [json!("x"), json!({}), json!({"event": 1})] {
        let expected = Parsed::Ignored(Ignored::UnknownEvent);
        assert_eq!(parse(&json!({"hook": hook})), expected);
    }
}

#[test]
fn linked_account_determines_the_tenant() {
    let known = HashMap::from([("la-1".to_owned(), Tenant::new("widgets"))]);
    let listed = Tenancy::ByLinkedAccount(known);
    let one = Tenancy::One(Tenant::new("acme"));
    for (tenancy, account, expected) in [
        (&one, json!({"id": "la-9"}), Ok("acme")),
        (&one, json!(null), Ok("acme")),
        (
            &one,
            json!({"account_type": "test"}),
            Err(Ignored::TestAccount),
        ),
        (&listed, json!({"id": "la-1"}), Ok("widgets")),
        (
            &listed,
            json!({"id": "la-1", "account_type": "TEST"}),
            Ok("widgets"),
        ),
        (
            &listed,
            json!({"id": "la-9"}),
            Err(Ignored::UnknownLinkedAccount),
        ),
        (
            &listed,
            json!({"id": 1}),
            Err(Ignored::UnknownLinkedAccount),
        ),
        (&listed, json!("la-1"), Err(Ignored::UnknownLinkedAccount)),
    ] {
        let provider_config = ProviderConfig {
            tenancy: tenancy.clone(),
            ..provider_config(Provider::Merge)
        };
        let mut body = envelope("Employee.changed", &json!({"id": "e-1"}));
        body["linked_account"] = account.clone();
        let read = normalize(&provider_config, body.to_string().as_bytes()).unwrap();
        let expected = expected.map(Tenant::new);
        match read {
            Parsed::Changes(read) => assert_eq!(Ok(&read.changes[0].tenant), expected.as_ref()),
            Parsed::Ignored(ignored) => assert_eq!(Err(ignored), expected, "{account}"),
        }
    }
}

#[test]
fn employee_without_id_is_a_bad_entry() {
    for (data, cause) in [
        (json!(null), EntryError::NotAnObject),
        (json!(["e-1"]), EntryError::NotAnObject),
        (json!({}), EntryError::NoId),
        (json!({"id": 7}), EntryError::NoId),
        (json!({"id": ""}), EntryError::NoId),
        (json!({"id": "a\nb"}), EntryError::UnusableId),
    ] {
        let Parsed::Changes(changes) = parse(&envelope("Employee.changed", &data)) else {
            panic!("{data}");
        };
        let bad = InvalidEntry { position: 0, cause };
        assert_eq!(changes.bad_entries, [bad], "{data}");
        assert!(changes.changes.is_empty());
    }
}

#[test]
fn status_is_one_of_three_words_or_unknown() {
    for (value, expected) in [
        (json!("active"), Field::Value(Status::Active)),
        (json!("Pending"), Field::Value(Status::Pending)),
        (json!(" INACTIVE"), Field::Value(Status::Inactive)),
        (
            json!("Terminated"),
            Field::Value(Status::Unknown("Terminated".into())),
        ),
        (
            json!("é".repeat(60)),
            Field::Value(Status::Unknown("é".repeat(40))),
        ),
        (json!(null), Field::Absent),
        (json!(""), Field::Absent),
        (json!(false), Field::Unreadable),
    ] {
        let record = json!({"employment_status": value});
        let status = only("Employee.changed", record).facts.status;
        assert_eq!(status, expected, "{value}");
    }
}

#[test]
fn midnight_is_a_day_and_other_times_are_instants() {
    let of = |text| Field::Value(DateOrInstant::Day(day(text)));
    let at = |text: &str| {
        Field::Value(DateOrInstant::Instant(
            text.parse::<DateTime<Utc>>().unwrap(),
        ))
    };
    for (value, expected) in [
        (json!("2026-05-31T00:00:00Z"), of("2026-05-31")),
        (json!("2026-05-31T00:00:00.000000+00:00"), of("2026-05-31")),
        (json!("2026-05-31T00:00:00"), of("2026-05-31")),
        (json!("2026-05-31"), of("2026-05-31")),
        (json!("2026-05-31T00:00:00+02:00"), of("2026-05-31")),
        (
            json!("2026-05-31T02:00:00+02:00"),
            at("2026-05-31T00:00:00Z"),
        ),
        (
            json!("2026-06-15T13:30:00+02:00"),
            at("2026-06-15T11:30:00Z"),
        ),
        (json!(null), Field::Empty),
        (json!(" "), Field::Empty),
        (json!("soon"), Field::Unreadable),
        (json!(20_260_531), Field::Unreadable),
    ] {
        let facts = facts(json!({"termination_date": value}));
        assert_eq!(facts.termination_date, expected, "{value}");
    }
    assert_eq!(facts(json!({})).termination_date, Field::Empty);
}

#[test]
fn later_of_two_first_days_counts() {
    for (start, hire, expected) in [
        (
            json!("2024-02-12T00:00:00Z"),
            json!("2024-02-01T00:00:00Z"),
            Field::Value("2024-02-12"),
        ),
        (
            json!("2020-01-01"),
            json!("2024-02-01T23:30:00-01:00"),
            Field::Value("2024-02-02"),
        ),
        (json!(null), json!("2024-02-01"), Field::Value("2024-02-01")),
        (
            json!("2024-02-12"),
            json!("soon"),
            Field::Value("2024-02-12"),
        ),
        (json!("soon"), json!(null), Field::Unreadable),
        (json!(null), json!(""), Field::Empty),
    ] {
        let hired = facts(json!({"start_date": start, "hire_date": hire})).hire_date;
        let expected = match expected {
            Field::Value(text) => Field::Value(day(text)),
            Field::Empty => Field::Empty,
            Field::Absent => Field::Absent,
            Field::Unreadable => Field::Unreadable,
        };
        assert_eq!(hired, expected, "{start} {hire}");
    }
}

#[test]
fn personal_email_is_never_used() {
    let email = |value: Value| {
        facts(json!({"work_email": value, "personal_email": "dana@home.example"})).work_email
    };
    assert_eq!(email(json!(null)), Field::Empty);
    assert_eq!(email(json!(" ")), Field::Empty);
    assert_eq!(
        email(json!({"value": "dana@example.com"})),
        Field::Unreadable
    );
    let read = email(json!(" Dana@Example.com"));
    assert_eq!(read.value().unwrap().expose(), "dana@example.com");
}

#[test]
fn shell_record_has_no_facts() {
    for status in [json!(null), json!("")] {
        let record = json!({"employment_status": status, "termination_date": null,
            "work_email": null, "hire_date": null, "start_date": null});
        let change = only("Employee.changed", record);
        assert_eq!(change.facts, Facts::default());
        assert!(!change.notification_only);
    }
}

#[test]
fn deleted_record_keeps_its_last_facts() {
    let record = json!({"employment_status": "ACTIVE", "remote_was_deleted": true,
        "modified_at": "2026-06-15T11:30:00.000000Z"});
    let change = only("Employee.changed", record);
    assert_eq!(change.kind, ChangeKind::Deleted);
    assert_eq!(change.facts.status, Field::Value(Status::Active));
    assert!(change.as_of.is_some());
    for deleted in [json!(false), json!(null), json!("true")] {
        let change = only("Employee.changed", json!({"remote_was_deleted": deleted}));
        assert_eq!(change.kind, ChangeKind::Updated);
        assert_eq!(change.as_of, None);
    }
}
