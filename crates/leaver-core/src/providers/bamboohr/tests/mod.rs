use serde_json::{Value, json};

use crate::domain::{ChangeKind, DateOrInstant, EmploymentStatus, Facts, Field, Status};
use crate::providers::tests::{day, provider_config};
use crate::providers::*;

mod api_responses;
mod bulk;
mod unmapped;
mod vectors;
mod webhooks;

fn parse(body: &str) -> Parsed {
    normalize(&provider_config(Provider::BambooHr), body.as_bytes()).unwrap()
}

fn changes(body: &str) -> Changes {
    match parse(body) {
        Parsed::Changes(changes) => changes,
        Parsed::Ignored(ignored) => panic!("{ignored}"),
    }
}

fn only(body: &str) -> EmployeeChange {
    let mut changes = changes(body);
    assert_eq!((changes.changes.len(), changes.bad_entries.len()), (1, 0));
    changes.changes.remove(0)
}

/// The facts of one posted update.
fn posted(fields: &Value) -> Facts {
    let entry = json!({"id": "1", "action": "Updated", "fields": fields});
    only(&json!({"employees": [entry]}).to_string()).facts
}

#[test]
fn posted_names_ignore_case() {
    for name in [
        "employmentHistoryStatus",
        "EMPLOYMENTHISTORYSTATUS",
        "Employment status",
        " Employment Status - Employment Status ",
        "employment status: employment status",
    ] {
        let facts = posted(&json!({name: "Terminated"}));
        let expected = Field::Value(EmploymentStatus::Terminated);
        assert_eq!(facts.employment_status, expected, "{name}");
    }
    for name in ["Employment", "Employment Status: Date", "employmentStatus"] {
        let facts = posted(&json!({name: "Terminated", "status": null}));
        assert_eq!(facts, Facts::default());
    }
}

#[test]
fn first_configured_name_with_a_value_wins() {
    let both = |alias: Value, label: Value| {
        posted(&json!({"terminationDate": alias, "Termination Date": label})).termination_date
    };
    let of = |text| Field::Value(DateOrInstant::Day(day(text)));
    assert_eq!(
        both(json!("2026-01-02"), json!("2026-03-04")),
        of("2026-01-02")
    );
    assert_eq!(both(json!(null), json!("2026-03-04")), of("2026-03-04"));
    assert_eq!(both(json!(""), json!("0000-00-00")), Field::Empty);
    assert_eq!(both(json!("soon"), json!(null)), Field::Unreadable);
}

#[test]
fn status_is_one_of_two_words_or_unknown() {
    let long = "x".repeat(60);
    for (value, expected) in [
        (json!("Inactive"), Field::Value(Status::Inactive)),
        (json!({"value": "ACTIVE "}), Field::Value(Status::Active)),
        (json!("Gone"), Field::Value(Status::Unknown("Gone".into()))),
        (
            json!("G\u{0}one"),
            Field::Value(Status::Unknown("Gone".into())),
        ),
        (json!(long), Field::Value(Status::Unknown("x".repeat(40)))),
        (json!(true), Field::Value(Status::Unknown("true".into()))),
        (json!(""), Field::Absent),
        (json!(null), Field::Absent),
        (json!([]), Field::Unreadable),
        (json!({"value": {}}), Field::Unreadable),
        (json!(["Inactive"]), Field::Unreadable),
        (json!({"text": "Inactive"}), Field::Unreadable),
    ] {
        assert_eq!(
            posted(&json!({"status": value})).status,
            expected,
            "{value}"
        );
    }
}

#[test]
fn values_and_empty_values_are_facts() {
    for (value, expected) in [
        (
            json!("terminated"),
            Field::Value(EmploymentStatus::Terminated),
        ),
        (json!("Full-Time"), Field::Value(EmploymentStatus::Other)),
        (json!({"value": null}), Field::Empty),
        (json!(" "), Field::Empty),
    ] {
        let facts = posted(&json!({"employmentHistoryStatus": value}));
        assert_eq!(facts.employment_status, expected, "{value}");
    }
    for (value, expected) in [
        (json!(" Ana@Example.com "), Field::Value("ana@example.com")),
        (json!(" "), Field::Empty),
        (json!(null), Field::Empty),
        (json!("a\u{0}b@example.com"), Field::Unreadable),
        (json!("a".repeat(400)), Field::Unreadable),
    ] {
        let email = posted(&json!({"Work Email": value})).work_email;
        let matches = match (&email, expected) {
            (Field::Value(email), Field::Value(text)) => email.expose() == text,
            (Field::Empty, Field::Empty) | (Field::Unreadable, Field::Unreadable) => true,
            _ => false,
        };
        assert!(matches, "{value}: {email:?}");
    }
}

#[test]
fn dates_are_days_even_with_a_midnight() {
    for (text, expected) in [
        ("2026-11-21", Field::Value(day("2026-11-21"))),
        (" 2026-11-21 ", Field::Value(day("2026-11-21"))),
        ("2026-11-21T00:00:00-05:00", Field::Value(day("2026-11-21"))),
        ("2026-11-21T23:30:00-05:00", Field::Value(day("2026-11-22"))),
        ("2026-11-21T00:00:00+0000", Field::Value(day("2026-11-21"))),
        ("2026-11-21T00:00:00", Field::Value(day("2026-11-21"))),
        ("0000-00-00", Field::Empty),
        ("", Field::Empty),
        ("2026-02-30", Field::Unreadable),
        ("2026-1-5", Field::Unreadable),
        ("21/11/2026", Field::Unreadable),
        ("2026-11-21 or so", Field::Unreadable),
        ("+026-11-21", Field::Unreadable),
        ("２０２６-11-21", Field::Unreadable),
    ] {
        let facts = posted(&json!({"hireDate": text, "Termination Date": text}));
        assert_eq!(facts.hire_date, expected, "{text}");
        assert_eq!(
            facts.termination_date.value().is_some(),
            expected.value().is_some()
        );
    }
}

#[test]
fn change_without_needed_values_is_notification_only() {
    let event = |kind: &str, changed: Value| {
        let data = json!({"employeeId": "1", "changedFields": changed});
        only(&json!({"type": kind, "data": data}).to_string())
    };
    let entry = |action: &str, changed: Value, fields: Value| {
        let entry =
            json!({"id": "1", "action": action, "changedFields": changed, "fields": fields});
        only(&json!({"employees": [entry]}).to_string())
    };
    for (change, notification_only, status_changed) in [
        (event("employee.updated", json!(["status"])), true, true),
        (event("employee.update", json!(["Status"])), true, true),
        (
            event("employee.updated", json!(["jobTitle", "workEmail"])),
            true,
            false,
        ),
        (event("employee.updated", json!(["4321"])), true, false),
        (event("employee.updated", json!([-12])), true, false),
        (event("employee.updated", json!([])), true, false),
        (
            event("employee.updated", json!({"1": "hireDate"})),
            true,
            false,
        ),
        (event("employee.updated", json!(["jobTitle"])), false, false),
        (event("employee.created", json!(null)), true, false),
        (event("employee.deleted", json!(["status"])), false, false),
        (entry("Created", json!([]), json!([])), true, false),
        (
            entry("Created", json!([]), json!({"status": "Active"})),
            false,
            false,
        ),
        (entry("Updated", json!(["Status"]), json!({})), true, true),
        (
            entry("Updated", json!(["4321"]), json!({"jobTitle": "x"})),
            true,
            false,
        ),
        (
            entry("Updated", json!(["jobTitle"]), json!({"status": null})),
            false,
            false,
        ),
        (entry("Updated", json!([]), json!({})), false, false),
        (
            entry("Updated", json!(["4321"]), json!({"workEmail": null})),
            false,
            false,
        ),
        (
            entry("Moved", json!(["status"]), json!({"status": "x"})),
            false,
            true,
        ),
        (
            entry("deleted", json!(["status"]), json!({"status": "Inactive"})),
            false,
            false,
        ),
    ] {
        assert_eq!(change.notification_only, notification_only, "{change:?}");
        assert_eq!(change.facts.status_changed, status_changed, "{change:?}");
        if change.kind == ChangeKind::Deleted || change.notification_only {
            assert_eq!(change.facts.status, Field::Absent);
        }
    }
}

#[test]
fn bad_entry_does_not_affect_the_others() {
    let body = json!({"employees": [
        {"id": 7, "fields": {"status": "Active"}}, "dana", null, {"fields": {}}, {"id": " "},
        {"id": {"value": "8"}}, {"id": "a\u{0}"}, {"id": "9".repeat(300)},
        {"id": "10", "fields": null, "changedFields": "status", "timestamp": "noon"},
    ]});
    let read = changes(&body.to_string());
    let ids: Vec<_> = read
        .changes
        .iter()
        .map(|c| c.employee_id.as_str())
        .collect();
    assert_eq!(ids, ["7", "10"]);
    let bad: Vec<_> = read.bad_entries.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(bad.join("\n"), @r"
    entry 1: it is not an object
    entry 2: it is not an object
    entry 3: it has no employee id
    entry 4: it has no employee id
    entry 5: it has no employee id
    entry 6: its employee id is too long, has control characters or is not a whole number
    entry 7: its employee id is too long, has control characters or is not a whole number
    ");
    let event = changes(r#"{"type": "employee.updated", "data": []}"#);
    assert_eq!(event.bad_entries[0].cause, EntryError::NotAnObject);
}

#[test]
fn employees_can_be_an_object() {
    let body = r#"{"employees": {"5": {"fields": {"status": "Active"}}, "6": {"id": "60"}}}"#;
    let read = changes(body);
    let ids: Vec<_> = read
        .changes
        .iter()
        .map(|c| c.employee_id.as_str())
        .collect();
    assert_eq!(ids, ["5", "60"]);
}

#[test]
fn event_times_have_many_formats() {
    let at = |time: &str| {
        let body = json!({"type": "employee.deleted", "timestamp": time,
            "data": {"employeeId": "1"}});
        changes(&body.to_string())
    };
    for time in [
        "2026-11-22T11:59:55+0000",
        "2026-11-22T11:59:55Z",
        "2026-11-22T11:59:55+00:00",
        "2026-11-22T13:59:55.000+0200",
        "2026-11-22T11:59:55",
        "2026-11-22T11:59:55.0000004Z",
    ] {
        let read = at(time);
        assert!(read.has_event_times(), "{time}");
        let seconds = read.changes[0]
            .as_of
            .map(|at| (at.timestamp(), at.timestamp_subsec_nanos()));
        assert_eq!(seconds, Some((1_795_348_795, 0)), "{time}");
    }
    // Postgres has no leap seconds and a smaller range than chrono.
    let leap = at("2016-12-31T23:59:60.5Z").changes[0].as_of;
    assert_eq!(leap, "2017-01-01T00:00:00.5Z".parse().ok());
    for time in [
        "",
        "noon",
        "1795348795",
        "2026-11-22",
        "-9999-11-22T11:59:55",
        "+262142-11-22T11:59:55",
    ] {
        let read = at(time);
        assert_eq!(read.changes[0].as_of, None, "{time}");
        assert!(!read.has_event_times());
    }
}

#[test]
fn first_character_selects_the_parser() {
    for body in [
        "employees[1][status]=Inactive",
        " employees%5B1%5D%5Bstatus%5D=Inactive",
        r#" {"employees":[{"id":"1","fields":{"status":"Inactive"}}]}"#,
    ] {
        assert_eq!(
            only(body).facts.status,
            Field::Value(Status::Inactive),
            "{body}"
        );
    }
}

#[test]
fn form_key_is_split_at_two_groups() {
    let change = only(
        "employees[5][action]=Created&employees[5][timestamp]=2026-11-22T11:59:55Z\
         &employees[5][odd]+status]=x&employees[5][status][value]=Inactive\
         &employees[5][hireDate][deep][er]=2026-01-01&employees[5][changedFields][]=status\
         &employees[5][changedFields]=&employees[5][work+email]=ana%2Bhr%40example.com\
         &other[5][status]=Active&[x]=1&employees[5=1",
    );
    assert_eq!(change.kind, ChangeKind::Created);
    assert!(change.as_of.is_some());
    assert_eq!(change.facts.status, Field::Value(Status::Inactive));
    assert!(change.facts.status_changed);
    assert_eq!(change.facts.hire_date, Field::Absent);
    let email = change.facts.work_email.value().unwrap();
    assert_eq!(email.expose(), "ana+hr@example.com");
}

#[test]
fn ignored_bodies_have_a_cause() {
    for (body, word) in [
        (" \r\n", "empty"),
        ("", "empty"),
        ("employees=", "empty"),
        (r#"{"employees": []}"#, "empty"),
        (r#"{"employees": {}}"#, "empty"),
        (r#"{"employees": null}"#, "empty"),
        (r#"{"type": "company-integrations.updated"}"#, "company"),
        (r#"{"type": "company.deleted"}"#, "company"),
        (r#"{"type": "employee.moved"}"#, "unknown_event"),
        (r#"{"type": 1}"#, "unknown_event"),
        ("type=applicant.created", "unknown_event"),
    ] {
        let Parsed::Ignored(ignored) = parse(body) else {
            panic!("{body}");
        };
        assert_eq!(<&str>::from(ignored), word, "{body}");
        assert!(!ignored.to_string().is_empty());
    }
}
