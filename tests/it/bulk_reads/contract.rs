//! Bulk reads are declared in BambooHR's OpenAPI file, and so are the responses of the stand-in.

use serde_json::Value;

use super::{BulkTest, SyncMode, sixty};
use crate::support::bulk_apis::{DATASET, DATASET_FIELDS, REPORT};
use crate::support::contract::{Contract, good_answer, takes_basic_auth};

#[tokio::test]
async fn requests_of_bulk_reads_are_declared_for_api_keys() {
    let contract = Contract::load("bamboohr.yaml");
    let mut test = BulkTest::new(sixty()).await;
    test.full().await;
    test.app.advance(chrono::TimeDelta::minutes(16));
    test.company
        .set(|answers| answers.employees[2]["_changed"] = "2026-11-22T12:10:00+00:00".into());
    test.sync(SyncMode::Incremental).await;
    test.company.set(|answers| {
        answers.report = Some(403);
        answers.withheld = vec!["hireDate"];
    });
    test.full().await;
    for path in [REPORT, DATASET, DATASET_FIELDS] {
        assert!(test.count(path) > 1, "{path}");
    }
    for one in &test.api.requests() {
        assert_eq!(contract.complaints(one), [""; 0]);
        let operation = contract.operation(&one.path, one.method.as_str()).unwrap();
        assert!(takes_basic_auth(operation.declared), "{}", one.path);
    }
}

#[tokio::test]
async fn bulk_responses_of_the_stand_in_are_declared() {
    let contract = Contract::load("bamboohr.yaml");
    let mut test = BulkTest::new(sixty()).await;
    test.full().await;
    test.company.set(|answers| answers.report = Some(403));
    test.full().await;
    test.company.set(|answers| answers.report = None);
    let client = leaver::connect::client::new(std::time::Duration::from_secs(5)).unwrap();
    for path in [REPORT, DATASET, DATASET_FIELDS] {
        let asked = test.api.requests();
        let asked = asked.iter().find(|one| one.path == path).unwrap();
        let url = format!("{}{path}?{}", test.api.url, asked.raw_query);
        let again = client
            .request(asked.method.clone(), url)
            .header("content-type", "application/json")
            .body(asked.body.clone());
        let answer: Value = again.send().await.unwrap().json().await.unwrap();
        let operation = contract.operation(path, asked.method.as_str()).unwrap();
        let schema = good_answer(operation.declared);
        assert_eq!(contract.differences(schema, &answer, &[], path), [""; 0]);
    }
}
