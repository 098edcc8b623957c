//! Future-dated values, of which the dataset shows none.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{BulkTest, sixty};
use crate::support::{employee, employees};

/// The employees with a scheduled end.
const ENDS: &str =
    "SELECT employee_id FROM leaver.employees WHERE access_ends_at IS NOT NULL ORDER BY 1";

#[tokio::test]
async fn an_old_date_in_the_dataset_withdraws_no_announced_end() {
    let mut people = sixty();
    people[8]["hireDate"] = "2026-01-05".into();
    people[8]["terminationDate"] = "2027-03-31".into();
    // The end of the employment before.
    people[8]["_dataset"] = json!({"terminationDate": "2025-03-31"});
    let mut test = BulkTest::new(people).await;
    test.full().await;
    assert_eq!(test.app.lines(ENDS).await, ["9"]);
    test.company.set(|answers| answers.report = Some(403));
    test.app.advance(TimeDelta::hours(1));
    assert_eq!(test.full().await.incomplete, None);
    assert_eq!(test.single_reads(), ["9"]);
    assert_eq!(test.app.lines(ENDS).await, ["9"]);
}

#[tokio::test]
async fn an_end_from_a_webhook_outlasts_the_dataset() {
    for shown in [Value::Null, json!("2025-03-31"), json!("0000-00-00")] {
        let mut test = BulkTest::new(sixty()).await;
        test.company.set(|answers| answers.report = Some(403));
        test.full().await;
        test.app.advance(TimeDelta::minutes(5));
        let fields =
            json!({"status": "Active", "terminationDate": "2027-03-31", "hireDate": "2026-01-05"});
        let entry = employee("9", "2026-11-22T12:04:00Z", &["terminationDate"], &fields);
        test.app.deliver("bamboohr", &employees(&[entry])).await;
        assert_eq!(test.app.lines(ENDS).await, ["9"]);
        test.company.set(|answers| {
            answers.employees[8]["hireDate"] = "2026-01-05".into();
            answers.employees[8]["terminationDate"] = "2027-03-31".into();
            answers.employees[8]["_dataset"] = json!({ "terminationDate": shown });
        });
        test.app.advance(TimeDelta::hours(1));
        assert_eq!(test.full().await.incomplete, None);
        assert_eq!(test.single_reads(), ["9"]);
        assert_eq!(test.app.lines(ENDS).await, ["9"], "{shown}");
    }
}

#[tokio::test]
async fn recent_changes_are_read_singly_while_no_read_is_complete() {
    let mut people = sixty();
    for one in &mut people {
        one["_changed"] = "2026-10-01T08:00:00+00:00".into();
    }
    let mut test = BulkTest::new(people).await;
    test.company.set(|answers| {
        answers.report = Some(403);
        answers.withheld = vec!["hireDate"];
    });
    for _ in 0..2 {
        assert!(test.full().await.incomplete.is_some());
        assert_eq!(test.single_reads(), [""; 0]);
        test.app.advance(TimeDelta::minutes(20));
    }
    // HR enters an end, which the dataset does not show.
    test.company.set(|answers| {
        answers.employees[8]["terminationDate"] = "2026-12-20".into();
        answers.employees[8]["_dataset"] = json!({"terminationDate": null});
        answers.employees[8]["_changed"] = "2026-11-22T12:30:00+00:00".into();
    });
    assert!(test.full().await.incomplete.is_some());
    assert_eq!(test.single_reads(), ["9"]);
    assert_eq!(test.app.lines(ENDS).await, ["9"]);
}

#[tokio::test]
async fn a_hidden_end_takes_effect_on_its_day() {
    let mut people = sixty();
    people[8]["terminationDate"] = "2026-12-20".into();
    people[8]["_dataset"] = json!({"terminationDate": null});
    let mut test = BulkTest::new(people).await;
    test.company.set(|answers| answers.report = Some(403));
    // It was entered before the first read, so nothing shows it.
    assert_eq!(test.full().await.incomplete, None);
    assert_eq!(test.app.lines(ENDS).await, [""; 0]);
    test.app.advance(TimeDelta::days(29));
    test.company.set(|answers| {
        let one = answers.employees[8].as_object_mut().unwrap();
        one.remove("_dataset");
        one.insert("status".to_owned(), "Inactive".into());
        one.insert("employmentHistoryStatus".to_owned(), "Terminated".into());
    });
    test.full().await;
    assert!(
        test.off()
            .await
            .contains(&"dana.9@widgets.example".to_owned())
    );
}

#[tokio::test]
async fn a_rehire_before_the_first_day_is_the_same_in_each_way() {
    let mut people = sixty();
    people[4]["status"] = "Inactive".into();
    people[4]["hireDate"] = "2026-12-07".into();
    people[4]["terminationDate"] = "2024-05-31".into();
    // The current employment status is that of the employment before.
    people[4]["_dataset"] = json!({"employmentHistoryStatus": "Terminated"});
    let facts = "SELECT (facts - 'deleted')::text FROM leaver.employees WHERE employee_id = '5'";
    let mut seen = vec![];
    for (report, dataset) in [(Some(403), Some(403)), (None, None), (Some(403), None)] {
        let mut test = BulkTest::new(people.clone()).await;
        test.company
            .set(|answers| (answers.report, answers.dataset) = (report, dataset));
        assert_eq!(test.full().await.incomplete, None);
        let off = test.off().await;
        assert!(
            !off.contains(&"dana.5@widgets.example".to_owned()),
            "{off:?}"
        );
        let holds = test.app.count("SELECT count(*) FROM leaver.holds").await;
        seen.push((test.app.lines(facts).await, off, holds));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
}
