//! The best way is found by trying, and a refused one falls back in the same read.

use chrono::TimeDelta;
use leaver::connect::Way;
use serde_json::json;

use super::{Answer, BulkTest, CHANGED, DATASET, LEFT, REPORT, SyncMode, sixty};
use crate::support::bulk_apis::DATASET_FIELDS;

#[tokio::test]
async fn the_report_is_used_where_it_is_allowed() {
    let mut test = BulkTest::new(sixty()).await;
    let report = test.full().await;
    assert_eq!((report.incomplete, report.records), (None, 60));
    assert_eq!(test.off().await, LEFT);
    let way = report.way.unwrap();
    assert_eq!(
        (way.way, way.because.as_str()),
        (Way::Report, "the account allows the report")
    );
    assert_eq!(test.api.requests().len(), 2);
    assert_eq!((test.count(CHANGED), test.count(REPORT)), (1, 1));
    let health = test.app.get("/health").await.body;
    assert_eq!(
        health["sources"]["bamboohr"]["read"],
        json!({"way": "report", "because": "the account allows the report"})
    );
    let metrics = test.app.get("/metrics").await.body;
    let metrics = metrics.as_str().unwrap();
    assert!(metrics.contains(r#"leaver_read_way{source="bamboohr",way="report"} 1"#));
    assert!(metrics.contains(r#"leaver_read_way{source="bamboohr",way="single"} 0"#));
}

#[tokio::test]
async fn a_refused_report_falls_back_to_the_dataset() {
    for status in [400, 403, 404, 405, 410, 501] {
        let mut test = BulkTest::new(sixty()).await;
        test.company.set(|answers| answers.report = Some(status));
        let report = test.full().await;
        assert_eq!((report.incomplete, report.records), (None, 60), "{status}");
        assert_eq!(test.off().await, LEFT);
        let way = report.way.unwrap();
        assert_eq!(way.way, Way::Dataset);
        let because =
            format!("the report is refused ({status}), and the account allows the dataset");
        assert_eq!(way.because, because);
        assert_eq!((test.count(REPORT), test.count(DATASET)), (1, 1));
        assert_eq!(test.single_reads(), [""; 0]);
    }
}

#[tokio::test]
async fn refused_bulk_reads_fall_back_to_single_reads() {
    for (report, dataset) in [(403, 403), (404, 404), (403, 422)] {
        let mut test = BulkTest::new(sixty()).await;
        test.company.set(|answers| {
            (answers.report, answers.dataset) = (Some(report), Some(dataset));
        });
        let synced = test.full().await;
        assert_eq!((synced.incomplete, synced.records), (None, 60));
        assert_eq!(test.off().await, LEFT);
        assert_eq!(test.single_reads().len(), 60);
        let because =
            format!("the report is refused ({report}), and the dataset is refused ({dataset})");
        let health = test.app.get("/health").await.body;
        assert_eq!(
            health["sources"]["bamboohr"]["read"],
            json!({"way": "single", "because": because})
        );
    }
}

#[tokio::test]
async fn a_way_refused_later_falls_back_in_the_same_read() {
    let mut test = BulkTest::new(sixty()).await;
    test.full().await;
    test.company.set(|answers| answers.report = Some(403));
    let report = test.full().await;
    assert_eq!((report.incomplete, report.records), (None, 60));
    assert_eq!(report.way.unwrap().way, Way::Dataset);
    test.company.set(|answers| answers.dataset = Some(404));
    let report = test.full().await;
    assert_eq!((report.incomplete, report.records), (None, 60));
    assert_eq!(report.way.unwrap().way, Way::Single);
}

#[tokio::test]
async fn a_refused_way_is_tried_again_after_six_hours() {
    let mut test = BulkTest::new(sixty()).await;
    test.company.set(|answers| answers.report = Some(403));
    test.full().await;
    test.app.advance(TimeDelta::hours(5));
    test.full().await;
    assert_eq!(test.count(REPORT), 1);
    test.company.set(|answers| answers.report = None);
    test.app.advance(TimeDelta::hours(2));
    let report = test.full().await;
    assert_eq!(report.way.unwrap().way, Way::Report);
    assert_eq!(test.count(REPORT), 2);
}

#[tokio::test]
async fn a_failing_report_is_an_incomplete_read_not_a_refusal() {
    for status in [401, 429, 500, 503] {
        let mut test = BulkTest::new(sixty()).await;
        test.company.set(|answers| answers.report = Some(status));
        let report = test.full().await;
        assert!(report.incomplete.is_some(), "{status}");
        assert_eq!(test.count(DATASET_FIELDS), 0, "{status}");
        assert_eq!(test.off().await, [""; 0]);
        assert_eq!(test.missing().await, [""; 0]);
        let tried = if status == 401 { 1 } else { 3 };
        assert_eq!(test.count(REPORT), tried, "{status}");
    }
}

#[tokio::test]
async fn a_few_changes_are_read_singly_if_the_report_fails() {
    let mut test = BulkTest::new(sixty()).await;
    test.full().await;
    test.app.advance(TimeDelta::minutes(16));
    test.company.set(|answers| {
        answers.report = Some(500);
        answers.employees[2]["_changed"] = "2026-11-22T12:10:00+00:00".into();
        answers.employees[2]["status"] = "Inactive".into();
        answers.employees[2]["employmentHistoryStatus"] = "Terminated".into();
    });
    let report = test.sync(SyncMode::Incremental).await;
    let incomplete = report.incomplete.unwrap();
    assert!(incomplete.contains("the report failed"), "{incomplete}");
    assert_eq!(test.single_reads(), ["3"]);
    assert_eq!(test.off().await.len(), 3);
}

#[tokio::test]
async fn a_report_that_fails_twice_gives_way_to_the_dataset() {
    let mut test = BulkTest::new(sixty()).await;
    test.company.set(|answers| answers.report = Some(500));
    assert!(test.full().await.incomplete.is_some());
    assert_eq!(test.off().await, [""; 0]);
    test.app.advance(TimeDelta::minutes(16));
    let report = test.full().await;
    assert!(report.incomplete.unwrap().contains("the report failed"));
    assert_eq!(report.way.unwrap().way, Way::Dataset);
    assert_eq!(test.off().await, LEFT);
    assert_eq!(test.missing().await, [""; 0]);
}

#[tokio::test]
async fn a_refused_report_blocks_no_other_request() {
    let mut test = BulkTest::new(sixty()).await;
    test.company
        .set(|answers| (answers.report, answers.dataset) = (Some(403), Some(403)));
    for _ in 0..12 {
        let report = test.full().await;
        assert_eq!(report.incomplete, None);
        test.app.advance(TimeDelta::hours(7));
    }
}

#[tokio::test]
async fn changes_are_read_by_a_report_on_them() {
    let mut test = BulkTest::new(sixty()).await;
    test.full().await;
    test.app.advance(TimeDelta::minutes(16));
    test.company.set(|answers| {
        answers.employees[2]["_changed"] = "2026-11-22T12:10:00+00:00".into();
        answers.employees[2]["status"] = "Inactive".into();
        answers.employees[2]["employmentHistoryStatus"] = "Terminated".into();
    });
    let report = test.sync(SyncMode::Incremental).await;
    assert_eq!((report.incomplete, report.records), (None, 1));
    assert_eq!(report.way.unwrap().way, Way::Report);
    let asked = test.api.requests();
    let asked = asked.iter().rfind(|one| one.path == REPORT).unwrap();
    assert_eq!(
        asked.json()["filters"],
        json!({"lastChanged": {"value": "2026-11-22T11:50:00Z", "includeNull": "no"}})
    );
    assert_eq!(test.off().await.len(), 3);
    assert_eq!(test.missing().await, [""; 0]);
    // A sync that meets no change reads nobody, and the way stays known.
    let before = test.api.requests().len();
    test.app.advance(TimeDelta::minutes(30));
    test.company
        .set(|answers| answers.employees[2]["_changed"] = "2026-11-22T11:00:00+00:00".into());
    test.sync(SyncMode::Incremental).await;
    assert_eq!(test.api.requests().len(), before + 1);
    let health = test.app.get("/health").await.body;
    assert_eq!(health["sources"]["bamboohr"]["read"]["way"], "report");
}

#[tokio::test]
async fn a_report_without_rows_is_a_refusal() {
    let mut test = BulkTest::new(sixty()).await;
    test.api.script(
        REPORT,
        [Answer::text(
            200,
            "application/json",
            &super::report_of(&[]),
        )],
    );
    let report = test.full().await;
    assert_eq!((report.incomplete, report.records), (None, 60));
    let because = report.way.unwrap().because;
    assert_eq!(
        because,
        "the report has no rows, and the account allows the dataset"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_prints_the_way_and_the_reason() {
    let test = BulkTest::new(sixty()).await;
    let output = test.app.run(&["sync", "--json"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(
        output.json()[0]["read"],
        json!({"way": "report", "because": "the account allows the report"})
    );
    test.company
        .set(|answers| (answers.report, answers.dataset) = (Some(404), Some(403)));
    let output = test.app.run(&["sync", "--full"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    let said = "employees are read one by one, since the report is refused (404), and the dataset is refused (403)";
    assert!(output.err.contains(said), "{output:?}");
}
