//! A refused bulk read shows nothing about other requests with the same key.

use leaver::connect::Way;
use serde_json::json;

use super::{Answer, BulkTest, CHANGED, DATASET, LEFT, REPORT, SyncMode, sixty};

#[tokio::test]
async fn a_401_of_a_bulk_read_blocks_no_other_request() {
    let mut test = BulkTest::new(sixty()).await;
    test.company
        .set(|answers| (answers.report, answers.dataset) = (Some(401), Some(401)));
    // Once is a failed read, twice is a refusal.
    assert!(test.full().await.incomplete.unwrap().contains("(401)"));
    assert_eq!((test.count(REPORT), test.count(CHANGED)), (1, 1));
    assert!(test.full().await.incomplete.unwrap().contains("(401)"));
    assert_eq!((test.count(REPORT), test.count(CHANGED)), (2, 2));
    let report = test.full().await;
    assert_eq!((report.incomplete, report.records), (None, 60));
    let way = report.way.unwrap();
    assert_eq!(way.way, Way::Single);
    assert_eq!(
        way.because,
        "the report is refused (401), and the dataset is refused (401)"
    );
    assert_eq!(test.off().await, LEFT);
}

#[tokio::test]
async fn a_401_in_the_text_of_a_report_blocks_no_other_request() {
    let mut test = BulkTest::new(sixty()).await;
    let refused = json!({"error": {"code": 401, "message": "no"}});
    test.api.script(REPORT, [Answer::json(&refused)]);
    assert!(test.full().await.incomplete.is_some());
    let report = test.full().await;
    assert_eq!((report.incomplete, report.records), (None, 60));
    assert_eq!(report.way.unwrap().way, Way::Report);
}

#[tokio::test]
async fn a_401_of_a_page_leaves_the_other_reads_usable() {
    let mut test = BulkTest::new(sixty()).await;
    test.company.set(|answers| answers.report = Some(403));
    test.api.script(DATASET, [Answer::status(401)]);
    assert!(test.full().await.incomplete.is_some());
    let report = test.full().await;
    assert_eq!((report.incomplete, report.records), (None, 60));
}

#[tokio::test]
async fn changes_are_read_singly_after_a_401_of_the_report() {
    let mut test = BulkTest::new(sixty()).await;
    test.full().await;
    test.app.advance(chrono::TimeDelta::minutes(16));
    test.company.set(|answers| {
        answers.report = Some(401);
        answers.employees[2] = crate::support::apis_setup::terminated_bamboohr_employee(3);
        answers.employees[2]["_changed"] = "2026-11-22T12:10:00+00:00".into();
    });
    let report = test.sync(SyncMode::Incremental).await;
    assert!(report.incomplete.unwrap().contains("the report failed"));
    assert_eq!(test.single_reads(), ["3"]);
    assert_eq!(test.off().await.len(), 3);
}

#[tokio::test]
async fn a_401_of_another_request_still_blocks_the_key() {
    let mut test = BulkTest::new(sixty()).await;
    test.api.script(CHANGED, [Answer::status(401)]);
    assert!(test.full().await.incomplete.is_some());
    let reason = test.full().await.incomplete.unwrap();
    assert!(reason.contains("no request is sent until"), "{reason}");
    assert_eq!(test.api.requests().len(), 1);
    // So does that of a single read, as after a report without a status.
    let mut test = BulkTest::new(sixty()).await;
    test.company
        .set(|answers| (answers.report, answers.dataset) = (Some(401), Some(403)));
    test.api
        .script("/api/v1/employees/9", [Answer::status(401)]);
    assert!(test.full().await.incomplete.is_some());
    assert!(test.full().await.incomplete.is_some());
    let reason = test.full().await.incomplete.unwrap();
    assert!(reason.contains("no request is sent until"), "{reason}");
}
