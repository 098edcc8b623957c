//! The dataset of employees: pages, forbidden fields, and dates that it does not show.

use chrono::TimeDelta;
use leaver::connect::Way;
use serde_json::{Value, json};

use super::{Answer, BulkTest, DATASET, LEFT, sixty};
use crate::support::apis::bamboohr_employee;

/// A company whose account refuses the report.
async fn without_report(people: Vec<Value>) -> BulkTest {
    let test = BulkTest::new(people).await;
    test.company.set(|answers| answers.report = Some(403));
    test
}

#[tokio::test]
async fn pages_of_a_thousand_are_read_in_the_order_of_ids() {
    let people: Vec<Value> = (1..=2_345).map(bamboohr_employee).collect();
    let mut test = without_report(people).await;
    let report = test.full().await;
    assert_eq!((report.incomplete, report.records), (None, 2_345));
    let asked = test.api.requests();
    let pages = asked.iter().filter(|one| one.path == DATASET);
    let pages: Vec<Value> = pages.map(|one| one.json()["page"].clone()).collect();
    assert_eq!(pages, [1, 2, 3]);
    let fields = json!([
        "eeid",
        "status",
        "employmentStatus",
        "terminationDate",
        "hireDate",
        "email"
    ]);
    let asked = asked.iter().find(|one| one.path == DATASET).unwrap().json();
    assert_eq!(asked["fields"], fields);
    assert_eq!(asked["orderBy"], "eeid asc");
    assert_eq!(asked["pageSize"], 1_000);
}

#[tokio::test]
async fn a_forbidden_field_of_the_dataset_is_withheld() {
    for field in leaver_core::providers::BAMBOOHR_FIELDS {
        let mut test = without_report(sixty()).await;
        test.company.set(|answers| answers.withheld = vec![field]);
        let report = test.full().await;
        assert_eq!(report.way.unwrap().way, Way::Dataset);
        let reason = report.incomplete.unwrap();
        assert_eq!(
            reason,
            format!("60 of the records: the API does not return `{field}`")
        );
        assert_eq!(test.single_reads(), [""; 0], "{field}");
        assert_eq!(test.missing().await, [""; 0]);
        if field == "workEmail" {
            assert_eq!(test.off().await, [""; 0]);
        }
    }
}

#[tokio::test]
async fn a_withheld_date_of_the_dataset_withdraws_no_end() {
    let mut people = sixty();
    people[8]["terminationDate"] = "2026-12-20".into();
    let mut test = BulkTest::new(people).await;
    test.full().await;
    let ends = "SELECT employee_id FROM leaver.employees WHERE access_ends_at IS NOT NULL";
    assert_eq!(test.app.lines(ends).await, ["9"]);
    test.company.set(|answers| {
        answers.report = Some(404);
        answers.withheld = vec!["terminationDate"];
    });
    assert!(test.full().await.incomplete.is_some());
    assert_eq!(test.app.lines(ends).await, ["9"]);
}

#[tokio::test]
async fn an_end_that_the_dataset_hides_gets_a_single_read() {
    let mut people = sixty();
    people[8]["terminationDate"] = "2027-03-31".into();
    people[8]["_dataset"] = json!({"terminationDate": "0000-00-00"});
    let mut test = BulkTest::new(people).await;
    test.full().await;
    let ends = "SELECT employee_id FROM leaver.employees WHERE access_ends_at IS NOT NULL";
    assert_eq!(test.app.lines(ends).await, ["9"]);
    test.company.set(|answers| answers.report = Some(403));
    assert_eq!(test.full().await.incomplete, None);
    assert_eq!(test.single_reads(), ["9"]);
    assert_eq!(test.app.lines(ends).await, ["9"]);
    // It is withdrawn: the single read shows that.
    test.app.advance(TimeDelta::hours(1));
    test.company
        .set(|answers| answers.employees[8]["terminationDate"] = "0000-00-00".into());
    test.full().await;
    assert_eq!(test.app.lines(ends).await, [""; 0]);
}

#[tokio::test]
async fn active_employees_with_a_near_date_get_single_reads() {
    let mut people = sixty();
    // Today is 22 November.
    for (at, date) in [
        (10, "2026-11-19"),
        (11, "2026-11-20"),
        (12, "2026-11-23"),
        (13, "2026-12-06"),
        (14, "2026-12-07"),
    ] {
        people[at]["hireDate"] = "2026-01-05".into();
        people[at]["terminationDate"] = date.into();
    }
    // The last word is that of the single read.
    people[12]["terminationDate"] = "2027-01-31".into();
    people[12]["_dataset"] = json!({"terminationDate": "2026-11-23"});
    let mut test = without_report(people).await;
    test.full().await;
    assert_eq!(test.single_reads(), ["12", "13", "14"]);
    let end = "SELECT termination_on::text FROM leaver.employees WHERE employee_id = '13'";
    assert_eq!(test.app.lines(end).await, ["2027-01-31"]);
}

#[tokio::test]
async fn employees_changed_since_the_last_read_get_single_reads() {
    let mut test = without_report(sixty()).await;
    test.full().await;
    assert_eq!(test.single_reads(), [""; 0]);
    test.app.advance(TimeDelta::minutes(20));
    // HR enters an end, which the dataset does not show.
    test.company.set(|answers| {
        answers.employees[8]["terminationDate"] = "2026-12-20".into();
        answers.employees[8]["_dataset"] = json!({"terminationDate": null});
        answers.employees[8]["_changed"] = "2026-11-22T12:10:00+00:00".into();
    });
    test.full().await;
    assert_eq!(test.single_reads(), ["9"]);
    let ends = "SELECT employee_id FROM leaver.employees WHERE access_ends_at IS NOT NULL";
    assert_eq!(test.app.lines(ends).await, ["9"]);
}

#[tokio::test]
async fn changes_get_single_reads_without_the_report() {
    let mut test = without_report(sixty()).await;
    test.full().await;
    test.app.advance(TimeDelta::minutes(20));
    test.company.set(|answers| {
        answers.employees[8]["terminationDate"] = "2026-12-20".into();
        answers.employees[8]["_changed"] = "2026-11-22T12:10:00+00:00".into();
    });
    let report = test.sync(super::SyncMode::Incremental).await;
    assert_eq!((report.incomplete, report.records), (None, 1));
    assert_eq!(test.single_reads(), ["9"]);
    assert_eq!(test.count(DATASET), 1);
}

#[tokio::test]
async fn a_dataset_that_shrinks_while_it_is_read_is_completed() {
    let people: Vec<Value> = (1..=1_500).map(bamboohr_employee).collect();
    let mut test = without_report(people).await;
    // A deleted row moves 1001 to the page that was read before.
    test.company.set(|answers| {
        answers.left_out = ["1001".to_owned()].into();
    });
    let report = test.full().await;
    assert_eq!((report.incomplete, report.records), (None, 1_500));
    assert_eq!(test.single_reads(), ["1001"]);
}

#[tokio::test]
async fn a_bad_page_marks_no_employee_as_missing() {
    let people: Vec<Value> = (1..=1_500).map(bamboohr_employee).collect();
    let mut test = without_report(people).await;
    test.full().await;
    let page = |rows: Value, items: usize, pages: usize| {
        Answer::json(&json!({"data": rows, "links": {},
            "meta": {"page": 1, "pageSize": 1000, "totalPages": pages, "totalItems": items}}))
    };
    let row = json!({"fields": {"eeid": "1", "status": "Active", "employmentStatus": "Full-Time",
        "terminationDate": null, "hireDate": "2020-01-05", "email": "dana.1@widgets.example"}});
    let bad = vec![
        // A promised page is empty.
        vec![page(json!([row]), 3, 3), page(json!([]), 3, 3)],
        // The text ends in the middle.
        vec![Answer::text(
            200,
            "application/json",
            r#"{"data":[{"fields":{"eeid""#,
        )],
        vec![Answer::json(&json!({"meta": {}}))],
        vec![
            Answer::status(503),
            Answer::status(503),
            Answer::status(503),
        ],
    ];
    for answers in bad {
        let shown = format!("{answers:?}");
        test.api.script(DATASET, answers);
        let report = test.full().await;
        assert!(report.incomplete.is_some(), "{shown}");
        assert_eq!(test.missing().await, [""; 0], "{shown}");
        assert_eq!(test.off().await, [""; 0], "{shown}");
    }
}

#[tokio::test]
async fn a_dataset_refused_in_the_middle_is_completed_by_single_reads() {
    let people: Vec<Value> = (1..=1_020).map(bamboohr_employee).collect();
    let mut test = without_report(people).await;
    test.api.script(DATASET, [None, Some(Answer::status(403))]);
    let report = test.full().await;
    assert_eq!((report.incomplete, report.records), (None, 1_020));
    assert_eq!(report.way.unwrap().way, Way::Single);
    assert_eq!(test.single_reads().len(), 20);
}

#[tokio::test]
async fn a_dataset_without_a_needed_field_is_not_used() {
    let mut test = without_report(sixty()).await;
    let fields = json!({"pagination": {"total_pages": 1}, "fields": [{"name": "eeid", "label": "EEID"},
        {"name": "status", "label": "Status"}]});
    test.api.script(
        crate::support::bulk_apis::DATASET_FIELDS,
        [Answer::json(&fields)],
    );
    let report = test.full().await;
    assert_eq!((report.incomplete, report.records), (None, 60));
    let way = report.way.unwrap();
    assert_eq!(way.way, Way::Single);
    assert!(
        way.because
            .contains("no field for `employmentHistoryStatus`")
    );
    assert_eq!(test.off().await, LEFT);
}
