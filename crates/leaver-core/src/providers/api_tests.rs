use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::*;
use crate::domain::{ChangeKind, DateOrInstant, EmploymentStatus, Field};

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
        &tenant(),
    )
}

#[test]
fn a_merge_record_is_as_of_its_modification() {
    let record = json!({"id": "u-1", "employment_status": "INACTIVE", "modified_at": "2026-11-20T08:00:00.5Z"});
    let change = merge_record(&record, &tenant()).unwrap();
    assert_eq!(change.kind, ChangeKind::Updated);
    assert_eq!(change.as_of, Some(at("2026-11-20T08:00:00.5Z")));
    assert_eq!(change.facts.status, Field::Value(Status::Inactive));
    assert_eq!(change.facts.termination_date, Field::Empty);
    assert!(!change.notification_only);
}

#[test]
fn a_merge_record_of_nulls_is_no_fact_but_a_removed_one_is() {
    let nulls =
        json!({"id": "u-1", "employment_status": null, "work_email": null, "first_name": "D"});
    assert_eq!(merge_record(&nulls, &tenant()), Err(EntryError::NullRecord));
    let removed = json!({"id": "u-1", "employment_status": null, "remote_was_deleted": true});
    let change = merge_record(&removed, &tenant()).unwrap();
    assert_eq!(change.kind, ChangeKind::Deleted);
    assert_eq!(change.facts.status, Field::Absent);
}

#[test]
fn the_next_page_is_a_cursor_or_a_url_with_one() {
    let next = |next: Value| {
        let body = json!({"next": next, "results": []}).to_string();
        merge_page(body.as_bytes(), &tenant()).map(|page| page.next)
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
fn an_unusable_answer_says_in_which_way() {
    let tenant = tenant();
    let cases: [(&str, &str); 5] = [
        (r#"{"results": [{"id": "u-"#, "the JSON ends in the middle"),
        ("<html>", "it is not JSON"),
        ("[]", "it is no object, or names a member twice"),
        (r#"{"next": null}"#, "it has no list `results`"),
        (
            r#"{"next": null, "results": null}"#,
            "it has no list `results`",
        ),
    ];
    for (body, text) in cases {
        let bad = merge_page(body.as_bytes(), &tenant).unwrap_err();
        assert_eq!(bad.to_string(), text, "{body}");
    }
}

#[test]
fn a_model_that_does_not_sync_casts_doubt() {
    let doubt = |entry: Value| {
        let body = json!({"next": null, "results": [entry]}).to_string();
        merge_sync_page(body.as_bytes()).unwrap().models[0].doubt()
    };
    let of = |status: &str, result: Value, finished: Value, initial: bool| {
        doubt(
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

#[test]
fn changed_employees_come_as_a_map_or_as_phps_empty_list() {
    let body = json!({"latest": "2026-11-22T11:00:00+00:00", "employees": {
        "7": {"id": "7", "action": "Inserted", "lastChanged": "2026-11-22T10:00:00+0000"},
        "8": {"action": "deleted"}, "9": {"id": 9, "action": "Renamed"}, "": {}}});
    let changed = bamboohr_changed(body.to_string().as_bytes()).unwrap();
    let said: Vec<_> = changed
        .employees
        .iter()
        .map(|one| (one.employee_id.as_str(), one.action))
        .collect();
    assert_eq!(changed.latest, Some(at("2026-11-22T11:00:00Z")));
    assert_eq!(
        said,
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

    let nobody = bamboohr_changed(br#"{"latest": "", "employees": []}"#).unwrap();
    assert_eq!(nobody, ChangedSince::default());
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
        Err(InvalidResponse::CutOff)
    );
}

#[test]
fn a_bamboohr_record_is_as_of_the_read_and_its_gaps_stay_gaps() {
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
    assert_eq!(read.withheld, ["workEmail"]);
}

#[test]
fn what_the_key_may_not_see_is_absent_and_not_empty() {
    let restricted = read(
        &json!({"id": "7", "status": "Active", "employmentHistoryStatus": "Full-Time",
        "terminationDate": null, "hireDate": "2020-01-05", "workEmail": "d@widgets.example",
        "_restrictedFields": ["terminationDate"]}),
    )
    .unwrap();
    assert_eq!(restricted.change.facts.termination_date, Field::Absent);
    assert_eq!(restricted.withheld, ["terminationDate"]);

    let blind =
        read(&json!({"id": "7", "terminationDate": null, "workEmail": "d@widgets.example"}))
            .unwrap();
    assert_eq!(blind.change.facts.termination_date, Field::Absent);
    assert!(blind.withheld.contains(&"status"));

    let future =
        read(&json!({"id": "7", "status": "Active", "terminationDate": "2026-12-31"})).unwrap();
    let day = "2026-12-31".parse().unwrap();
    assert_eq!(
        future.change.facts.termination_date,
        Field::Value(DateOrInstant::Day(day))
    );
}

#[test]
fn what_is_withheld_is_so_in_any_case_of_its_name() {
    let read = read(
        &json!({"id": "7", "STATUS": "Active", "terminationdate": null, "hireDate": "2020-01-05",
        "Termination Date": "2026-01-01", "_restrictedFields": ["TerminationDate"]}),
    )
    .unwrap();
    assert_eq!(read.change.facts.status, Field::Value(Status::Active));
    assert_eq!(read.change.facts.termination_date, Field::Absent);
    assert_eq!(
        read.withheld,
        ["employmentHistoryStatus", "terminationDate", "workEmail"]
    );
}

#[test]
fn a_bamboohr_record_of_nulls_is_no_fact() {
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
fn an_answer_about_somebody_else_is_refused() {
    let body = br#"{"id": "8", "status": "Inactive"}"#;
    let about = |id: &str| {
        let now = at("2026-11-22T12:00:00Z");
        bamboohr_employee(body, &EmployeeId::new(id), now, &tenant())
    };
    assert!(about("8").unwrap().is_ok());
    assert_eq!(
        about("7"),
        Err(InvalidResponse::WrongShape("it is about another employee"))
    );
}

#[test]
fn an_error_hides_in_a_success() {
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
