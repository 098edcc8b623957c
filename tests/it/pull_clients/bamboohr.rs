//! BambooHR: the list of changes, one employee, and fields hidden from the key.

use leaver::connect::{BambooHrAddress, BambooHrApi, ReadError, history_begins};
use leaver_core::domain::{DateOrInstant, EmployeeId, EmploymentStatus, Field, Status};
use leaver_core::providers::ChangedAction;
use serde_json::json;

use super::{bamboohr, limits, transport};
use crate::support::apis::{Answer, StandIn, bamboohr_company, bamboohr_employee};
use crate::support::at;

const CHANGED: &str = "/api/v1/employees/changed";

fn id(text: &str) -> EmployeeId {
    EmployeeId::new(text)
}

#[tokio::test]
async fn lists_who_changed_without_values() {
    let api = StandIn::start(bamboohr_company((1..=250).map(bamboohr_employee).collect())).await;
    let changed = bamboohr(&api)
        .changed_since(at("2026-11-22T10:45:00Z"))
        .await
        .unwrap();
    assert_eq!(changed.employees.len(), 250);
    assert_eq!(changed.employees[0].action, ChangedAction::Updated);
    assert_eq!(changed.latest, Some(at("2026-11-22T11:00:00Z")));
    let asked = &api.requests()[0];
    assert_eq!(
        (asked.path.as_str(), asked.raw_query.as_str()),
        (CHANGED, "since=2026-11-22T10%3A45%3A00Z")
    );
}

#[tokio::test]
async fn a_full_list_starts_at_the_beginning_of_history() {
    let api = StandIn::start(bamboohr_company(vec![])).await;
    let changed = bamboohr(&api)
        .changed_since(history_begins())
        .await
        .unwrap();
    assert!(changed.employees.is_empty());
    assert_eq!(
        api.requests()[0].parameter("since"),
        Some("2011-06-05T00:00:00Z")
    );
}

#[tokio::test]
async fn reads_an_employee_with_future_dates() {
    let mut leaver = bamboohr_employee(40217);
    leaver["terminationDate"] = json!("2026-12-31");
    let api = StandIn::start(bamboohr_company(vec![leaver])).await;
    let read = bamboohr(&api)
        .employee(&id("40217"))
        .await
        .unwrap()
        .unwrap();

    let facts = &read.change.facts;
    assert_eq!(facts.status, Field::Value(Status::Active));
    assert_eq!(
        facts.employment_status,
        Field::Value(EmploymentStatus::Other)
    );
    assert_eq!(
        facts.termination_date,
        Field::Value(DateOrInstant::Day("2026-12-31".parse().unwrap()))
    );
    assert_eq!(facts.hire_date, Field::Value("2020-01-05".parse().unwrap()));
    assert_eq!(
        facts.work_email.value().unwrap().expose(),
        "dana.40217@widgets.example"
    );
    assert_eq!(read.change.as_of, Some(at("2026-11-22T12:00:00Z")));
    assert!(!read.change.notification_only && read.restricted_fields.is_empty());
    assert_eq!(read.change.tenant.as_str(), "widgets");

    let asked = &api.requests()[0];
    assert_eq!(
        (asked.method.as_str(), asked.path.as_str()),
        ("GET", "/api/v1/employees/40217")
    );
    let fields = "status,employmentHistoryStatus,terminationDate,hireDate,workEmail";
    assert_eq!(
        asked.query,
        [("fields", fields), ("onlyCurrent", "false")].map(|(n, v)| (n.to_owned(), v.to_owned()))
    );
    // `bamboohr-api-key-sentinel:x`
    assert_eq!(
        asked.header("authorization"),
        "Basic YmFtYm9vaHItYXBpLWtleS1zZW50aW5lbDp4"
    );
    assert_eq!(asked.header("accept"), "application/json");
}

#[tokio::test]
async fn the_older_base_url_works() {
    let api = StandIn::always(Answer::json(&json!({"id": "7", "status": "Active"}))).await;
    let address =
        BambooHrAddress::parse(&format!("{}/api/gateway.php/widgets/v1", api.url)).unwrap();
    let client = BambooHrApi::new(
        address,
        leaver_core::domain::Tenant::new("t"),
        chrono_tz::Tz::UTC,
        "k".into(),
        transport(limits()),
    );
    client.employee(&id("7")).await.unwrap().unwrap();
    assert_eq!(
        api.requests()[0].path,
        "/api/gateway.php/widgets/v1/employees/7"
    );
}

#[tokio::test]
async fn a_missing_employee_is_none() {
    let api = StandIn::start(bamboohr_company(vec![bamboohr_employee(1)])).await;
    // More than the limit of failing responses allows: a 404 does not count here.
    let client = bamboohr(&api);
    for n in 100..130 {
        assert_eq!(client.employee(&id(&n.to_string())).await, Ok(None));
    }
    assert!(client.employee(&id("1")).await.unwrap().is_some());
}

#[tokio::test]
async fn hidden_fields_stay_unknown_and_all_hidden_is_an_error() {
    let mut partly = bamboohr_employee(1);
    partly.as_object_mut().unwrap().remove("status");
    let nulls = json!({"id": "2", "status": null, "employmentHistoryStatus": null, "terminationDate": null,
        "hireDate": null, "workEmail": null});
    let api = StandIn::start(bamboohr_company(vec![partly, nulls, json!({"id": "3"})])).await;
    let client = bamboohr(&api);
    let read = client.employee(&id("1")).await.unwrap().unwrap();
    assert_eq!(read.change.facts.status, Field::Absent);
    assert_eq!(
        read.change.facts.termination_date,
        Field::Absent,
        "without a status, a missing date proves nothing"
    );
    assert_eq!(read.restricted_fields, ["status"]);
    for nothing in ["2", "3"] {
        let error = client.employee(&id(nothing)).await.unwrap_err();
        assert!(
            matches!(error, ReadError::NullRecord { .. }),
            "{nothing}: {error}"
        );
    }
}

#[tokio::test]
async fn a_forbidden_record_does_not_block_the_others() {
    let api = StandIn::start(bamboohr_company(vec![bamboohr_employee(1)])).await;
    api.script("/api/v1/employees/2", [Some(Answer::status(403))]);
    let client = bamboohr(&api);
    let error = client.employee(&id("2")).await.unwrap_err();
    assert!(matches!(error, ReadError::Forbidden { .. }), "{error}");
    assert!(client.employee(&id("1")).await.unwrap().is_some());
}

#[tokio::test]
async fn ten_forbidden_records_in_a_row_block_the_key() {
    let api = StandIn::always(Answer::status(403)).await;
    let client = bamboohr(&api);
    for n in 1..=30 {
        assert!(client.employee(&id(&n.to_string())).await.is_err());
    }
    assert_eq!(api.requests().len(), 10);
}

#[tokio::test]
async fn a_response_about_another_employee_is_rejected() {
    let api = StandIn::always(Answer::json(&bamboohr_employee(8))).await;
    let error = bamboohr(&api).employee(&id("7")).await.unwrap_err();
    assert!(
        matches!(error, ReadError::UnexpectedResponse { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn an_id_that_forms_another_path_is_not_sent() {
    let api = StandIn::start(bamboohr_company(vec![])).await;
    for strange in [
        "0",
        "000",
        "",
        "..",
        "changed",
        "7/tables/x",
        "7?fields=ssn",
        "-1",
    ] {
        assert_eq!(
            bamboohr(&api).employee(&id(strange)).await,
            Err(ReadError::InvalidId),
            "{strange}"
        );
    }
    assert!(api.requests().is_empty());
}
