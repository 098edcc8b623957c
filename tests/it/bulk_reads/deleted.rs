//! Lists of everybody that have deleted records only.

use serde_json::{Map, Value, json};

use super::{Answer, BulkTest, CHANGED, sixty};
use crate::support::apis::bamboohr_employee;

/// Returns a list of changes with these employees as deleted.
fn deleted(numbers: &[usize]) -> Answer {
    let entries = numbers.iter().map(|n| {
        let entry = json!({"id": n.to_string(), "action": "Deleted", "lastChanged": "2026-11-22T12:10:00+00:00"});
        (n.to_string(), entry)
    });
    let entries: Map<String, Value> = entries.collect();
    Answer::json(&json!({"latest": "2026-11-22T12:10:00+00:00", "employees": entries}))
}

#[tokio::test]
async fn a_list_of_deleted_records_marks_nobody_as_missing() {
    let mut people = sixty();
    // An employee who leaves soon is read again in each sync.
    people[8]["terminationDate"] = "2026-11-23".into();
    let mut test = BulkTest::new(people).await;
    test.full().await;
    test.app.advance(chrono::TimeDelta::minutes(20));
    test.api.script(CHANGED, [deleted(&[1, 2])]);
    let report = test.full().await;
    let reason = report.incomplete.unwrap();
    assert!(reason.contains("deleted records only"), "{reason}");
    assert_eq!(test.missing().await, [""; 0]);
    let state = "SELECT state FROM leaver.sync_state";
    assert_eq!(test.app.lines(state).await, ["incomplete"]);
    // Nobody is on the list of one that answers again.
    assert_eq!(test.full().await.incomplete, None);
    assert_eq!(test.missing().await, [""; 0]);
}

#[tokio::test]
async fn a_list_of_deleted_records_is_complete_if_all_are_known_as_deleted() {
    let mut test = BulkTest::new(vec![bamboohr_employee(1), bamboohr_employee(2)]).await;
    test.full().await;
    test.app.advance(chrono::TimeDelta::minutes(20));
    test.api.script(CHANGED, [deleted(&[1, 2])]);
    assert_eq!(test.full().await.incomplete, None);
    test.app.advance(chrono::TimeDelta::minutes(20));
    test.api.script(CHANGED, [deleted(&[2])]);
    assert_eq!(test.full().await.incomplete, None);
}
