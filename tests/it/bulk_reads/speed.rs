//! Requests and memory of large companies. `make sweeps` measures the same with a release build.

use std::time::Duration;

use serde_json::Value;

use super::{BulkTest, CHANGED, DATASET, REPORT};
use crate::support::apis::bamboohr_employee;

fn large() -> Vec<Value> {
    (1..=2_000).map(bamboohr_employee).collect()
}

#[tokio::test]
async fn a_company_is_read_in_two_requests() {
    let mut test = BulkTest::new(large()).await;
    test.company
        .set(|answers| answers.delay = Duration::from_millis(100));
    let report = test.full().await;
    assert_eq!((report.incomplete, report.records), (None, 2_000));
    assert_eq!(test.api.requests().len(), 2);
    assert_eq!((test.count(CHANGED), test.count(REPORT)), (1, 1));
}

#[tokio::test]
async fn a_dataset_is_read_in_one_request_for_a_thousand() {
    let mut test = BulkTest::new(large()).await;
    test.company.set(|answers| {
        answers.delay = Duration::from_millis(100);
        answers.report = Some(404);
    });
    let report = test.full().await;
    assert_eq!((report.incomplete, report.records), (None, 2_000));
    assert_eq!(test.count(DATASET), 2);
    assert_eq!(test.single_reads(), [""; 0]);
}
