use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::domain::{DateOrInstant, EmployeeId, EmploymentStatus, Field, Status, Tenant};
use crate::providers::*;

fn tenant() -> Tenant {
    Tenant::new("widgets")
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn read(record: &Value) -> Result<EmployeeRead, EntryError> {
    let began = at("2026-11-22T12:00:00Z");
    bamboohr_record(
        &EmployeeId::new("7"),
        record.as_object().unwrap(),
        began,
        &PositionFacts::NONE,
        &tenant(),
        chrono_tz::Tz::UTC,
    )
}

#[test]
fn changed_employees_can_be_a_map_or_an_empty_list() {
    let body = json!({"latest": "2026-11-22T11:00:00+00:00", "employees": {
        "7": {"id": "7", "action": "Inserted", "lastChanged": "2026-11-22T10:00:00+0000"},
        "8": {"action": "deleted"}, "9": {"id": 9, "action": "Renamed"}, "": {}}});
    let changed = bamboohr_changed(body.to_string().as_bytes()).unwrap();
    let actions: Vec<_> = changed
        .employees
        .iter()
        .map(|one| (one.employee_id.as_str(), one.action))
        .collect();
    assert_eq!(changed.latest, Some(at("2026-11-22T11:00:00Z")));
    assert_eq!(
        actions,
        [
            ("7", ChangedAction::Inserted),
            ("8", ChangedAction::Deleted),
            ("9", ChangedAction::Updated)
        ]
        .map(|pair| pair)
    );
    assert_eq!(
        changed.employees[0].last_changed,
        Some(at("2026-11-22T10:00:00Z"))
    );
    assert_eq!(changed.bad_entries.len(), 1);

    let empty = bamboohr_changed(br#"{"latest": "", "employees": []}"#).unwrap();
    assert_eq!(empty, ChangedSince::default());
    for wrong in ["{}", r#"{"employees": null}"#, r#"{"employees": 5}"#, "[]"] {
        assert!(
            matches!(
                bamboohr_changed(wrong.as_bytes()),
                Err(InvalidResponse::WrongShape(_))
            ),
            "{wrong}"
        );
    }
    assert_eq!(
        bamboohr_changed(br#"{"employees": {"7": {"#),
        Err(InvalidResponse::Truncated)
    );
}

#[test]
fn record_has_the_time_of_the_read_and_keeps_gaps() {
    let read = read(
        &json!({"id": "7", "status": "Inactive", "employmentHistoryStatus": "Terminated",
        "terminationDate": "0000-00-00", "hireDate": null}),
    )
    .unwrap();
    let facts = &read.change.facts;
    assert_eq!(read.change.as_of, Some(at("2026-11-22T12:00:00Z")));
    assert_eq!(facts.status, Field::Value(Status::Inactive));
    assert!(!facts.status_changed && !read.change.notification_only);
    assert_eq!(
        facts.employment_status,
        Field::Value(EmploymentStatus::Terminated)
    );
    assert_eq!(
        (&facts.termination_date, &facts.hire_date),
        (&Field::Empty, &Field::Empty)
    );
    assert_eq!(facts.work_email, Field::Absent);
    assert_eq!(read.restricted_fields, ["workEmail"]);
}

#[test]
fn restricted_fields_are_absent_not_empty() {
    let restricted = read(
        &json!({"id": "7", "status": "Active", "employmentHistoryStatus": "Full-Time",
        "terminationDate": null, "hireDate": "2020-01-05", "workEmail": "d@widgets.example",
        "_restrictedFields": ["terminationDate"]}),
    )
    .unwrap();
    assert_eq!(restricted.change.facts.termination_date, Field::Absent);
    assert_eq!(restricted.restricted_fields, ["terminationDate"]);

    let blind =
        read(&json!({"id": "7", "terminationDate": null, "workEmail": "d@widgets.example"}))
            .unwrap();
    assert_eq!(blind.change.facts.termination_date, Field::Absent);
    assert!(blind.restricted_fields.contains(&"status"));

    let future =
        read(&json!({"id": "7", "status": "Active", "terminationDate": "2026-12-31"})).unwrap();
    let day = "2026-12-31".parse().unwrap();
    assert_eq!(
        future.change.facts.termination_date,
        Field::Value(DateOrInstant::Day(day))
    );
}

#[test]
fn restricted_field_names_ignore_case() {
    let read = read(
        &json!({"id": "7", "STATUS": "Active", "terminationdate": null, "hireDate": "2020-01-05",
        "Termination Date": "2026-01-01", "_restrictedFields": ["TerminationDate"]}),
    )
    .unwrap();
    assert_eq!(read.change.facts.status, Field::Value(Status::Active));
    assert_eq!(read.change.facts.termination_date, Field::Absent);
    assert_eq!(
        read.restricted_fields,
        ["employmentHistoryStatus", "terminationDate", "workEmail"]
    );
}

#[test]
fn record_of_nulls_is_rejected() {
    for nothing in [
        json!({"id": "7"}),
        json!({"id": "7", "status": null, "employmentHistoryStatus": null, "terminationDate": null,
            "hireDate": null, "workEmail": null}),
        json!({"id": "7", "status": "Active", "_restrictedFields": ["status"]}),
    ] {
        assert_eq!(read(&nothing), Err(EntryError::NullRecord));
    }
}

#[test]
fn response_about_another_employee_is_rejected() {
    let body = br#"{"id": "8", "status": "Inactive"}"#;
    let about = |id: &str| {
        let now = at("2026-11-22T12:00:00Z");
        bamboohr_employee(
            body,
            &EmployeeId::new(id),
            now,
            &PositionFacts::NONE,
            &tenant(),
            chrono_tz::Tz::UTC,
        )
    };
    assert!(about("8").unwrap().is_ok());
    assert_eq!(
        about("7"),
        Err(InvalidResponse::WrongShape("it is about another employee"))
    );
}
