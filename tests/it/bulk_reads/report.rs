//! What a report says, leaves out and withholds.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Answer, BulkTest, LEFT, REPORT, SyncMode, cut, report_of, sixty};
use crate::support::apis::bamboohr_employee;
use crate::support::apis_setup::terminated_bamboohr_employee;

#[tokio::test]
async fn the_order_of_a_reports_members_does_not_matter() {
    let mut test = BulkTest::new(sixty()).await;
    test.company.set(|answers| {
        answers.rows_first = true;
        answers.withheld = vec!["hireDate"];
    });
    let report = test.full().await;
    assert_eq!(report.records, 60);
    assert_eq!(
        report.incomplete.as_deref(),
        Some("60 of the records: the API does not return `hireDate`")
    );
    assert_eq!(test.off().await, LEFT);
}

#[tokio::test]
async fn a_field_missing_from_the_report_is_withheld() {
    for field in leaver_core::providers::BAMBOOHR_FIELDS {
        for mode in [SyncMode::Full, SyncMode::Incremental] {
            let mut test = BulkTest::new(sixty()).await;
            test.company.set(|answers| answers.withheld = vec![field]);
            let report = test.sync(mode).await;
            let reason = report.incomplete.unwrap();
            assert!(
                reason.contains(&format!("does not return `{field}`")),
                "{reason}"
            );
            // The same key would be refused there too.
            assert_eq!(test.single_reads(), [""; 0], "{field}");
            let pending = "SELECT count(*) FROM leaver.pending_reads";
            assert_eq!(test.app.count(pending).await, 0);
            assert_eq!(test.missing().await, [""; 0]);
        }
    }
}

#[tokio::test]
async fn a_null_of_a_withheld_field_is_no_value() {
    let mut test = BulkTest::new(vec![bamboohr_employee(1)]).await;
    test.company.set(|answers| {
        answers.employees[0]["terminationDate"] = "2026-12-20".into();
    });
    test.full().await;
    let ends = "SELECT count(*) FROM leaver.employees WHERE access_ends_at IS NOT NULL";
    assert_eq!(test.app.count(ends).await, 1);
    // The row has the field, and the list of fields does not.
    let mut row = bamboohr_employee(1);
    row["terminationDate"] = Value::Null;
    let body = report_of(&[row]).replace(
        r#"{"id":"terminationDate","name":"terminationDate","type":"text"},"#,
        "",
    );
    assert!(!body.contains(r#""id":"terminationDate""#));
    test.api
        .script(REPORT, [Answer::text(200, "application/json", &body)]);
    let report = test.full().await;
    assert!(report.incomplete.unwrap().contains("terminationDate"));
    assert_eq!(test.app.count(ends).await, 1);
}

#[tokio::test]
async fn a_future_date_in_a_report_is_scheduled() {
    let mut people = sixty();
    people[8]["terminationDate"] = "2026-12-20".into();
    let mut test = BulkTest::new(people).await;
    let report = test.full().await;
    assert_eq!(report.incomplete, None);
    let ends = "SELECT employee_id FROM leaver.employees WHERE access_ends_at IS NOT NULL";
    assert_eq!(test.app.lines(ends).await, ["9"]);
    assert_eq!(test.single_reads(), [""; 0]);
}

#[tokio::test]
async fn a_cut_report_marks_no_employee_as_missing() {
    let mut test = BulkTest::new(sixty()).await;
    test.full().await;
    let whole = report_of(&sixty());
    let half = || cut(&whole[..whole.len() / 2]);
    let bad = [
        half(),
        cut(&whole[..whole.len() - 1]),
        cut(""),
        cut(&format!("{whole}{whole}")),
        cut(r#"{"title":"Leaver","employees":[]}"#),
        cut(r#"{"error":{"code":503,"message":"busy"}}"#),
        Answer::text(200, "text/html", "<html>Log in</html>"),
        cut("<report></report>"),
    ];
    let mut bad: Vec<Vec<Answer>> = bad.into_iter().map(|answer| vec![answer]).collect();
    // A connection that breaks before the first piece is tried again.
    bad.push(vec![half().broken_off(); 3]);
    for answers in bad {
        let shown = String::from_utf8_lossy(&answers[0].body[..answers[0].body.len().min(80)]);
        let shown = shown.into_owned();
        test.api.script(REPORT, answers);
        let report = test.full().await;
        assert!(report.incomplete.is_some(), "{shown}");
        assert_eq!(test.missing().await, [""; 0], "{shown}");
        assert_eq!(test.off().await, LEFT, "{shown}");
    }
}

#[tokio::test]
async fn an_employee_missing_in_a_report_gets_a_single_read() {
    let mut test = BulkTest::new(sixty()).await;
    test.company.set(|answers| {
        answers.left_out = ["7", "8"].map(ToOwned::to_owned).into();
    });
    let report = test.full().await;
    assert_eq!((report.incomplete, report.records), (None, 60));
    assert_eq!(test.single_reads(), ["7", "8"]);
    assert_eq!(test.off().await, LEFT);
}

#[tokio::test]
async fn hidden_employees_cost_few_requests() {
    let mut test = BulkTest::new(sixty()).await;
    test.company.set(|answers| {
        answers.left_out = (11..=60).map(|n| n.to_string()).collect();
    });
    for n in 11..=60 {
        let path = format!("/api/v1/employees/{n}");
        test.api.script(&path, [Answer::status(403)]);
    }
    let report = test.full().await;
    assert!(
        report
            .incomplete
            .unwrap()
            .contains("left out of the answer")
    );
    assert!(test.single_reads().len() < 20);
    assert_eq!(test.missing().await, [""; 0]);
    test.company.set(|answers| answers.left_out.clear());
    assert_eq!(test.full().await.incomplete, None);
}

#[tokio::test]
async fn hidden_employees_keep_no_changed_one_from_being_read() {
    let mut test = BulkTest::new(sixty()).await;
    test.company.set(|answers| {
        answers.left_out = (11..=60).map(|n| n.to_string()).collect();
        // The employee with number 52 has left, and changed last.
        answers.employees[51]["_changed"] = "2026-11-22T11:30:00+00:00".into();
    });
    for n in (11..=60).filter(|n| *n != 52) {
        let path = format!("/api/v1/employees/{n}");
        test.api.script(&path, [Answer::status(403)]);
    }
    assert!(test.full().await.incomplete.is_some());
    assert_eq!(test.off().await, LEFT);
}

#[tokio::test]
async fn two_rows_of_one_employee_cause_a_single_read() {
    let people: Vec<Value> = (1..=3).map(bamboohr_employee).collect();
    let mut test = BulkTest::new(people.clone()).await;
    let mut rows = people;
    rows.insert(2, terminated_bamboohr_employee(2));
    test.api.script(
        REPORT,
        [Answer::text(200, "application/json", &report_of(&rows))],
    );
    let report = test.full().await;
    assert_eq!(
        report.incomplete.as_deref(),
        Some("1 of the records: more than once in one answer")
    );
    assert_eq!(test.single_reads(), ["2"]);
    assert_eq!(test.off().await, [""; 0]);
    let ended = "SELECT count(*) FROM leaver.audit WHERE action = 'deactivated'";
    assert_eq!(test.app.count(ended).await, 0);
}

#[tokio::test]
async fn a_bad_row_does_not_spoil_its_neighbours() {
    let mut test = BulkTest::new(sixty()).await;
    let whole = report_of(&sixty());
    let spoilt = whole
        .replace(r#""id":"3""#, r#""id":"3","nickname":"\ud800""#)
        .replace(r#""id":"4""#, r#""id":"4","score":NaN"#)
        .replace(r#""id":"5""#, r#""id":0"#)
        .replace(r#""id":"6""#, r#""id":6"#)
        .replace(
            "[{\"employmentHistoryStatus",
            "[\"nobody\",{\"employmentHistoryStatus",
        );
    test.api.script(REPORT, [cut(&spoilt)]);
    let report = test.full().await;
    let reason = report.incomplete.unwrap();
    assert!(reason.contains("it is not an object"), "{reason}");
    // 5 is listed as changed and was not in the answer.
    assert_eq!(test.single_reads(), ["5"]);
    assert_eq!(test.off().await, LEFT);
    let known = "SELECT count(*) FROM leaver.employees";
    assert_eq!(test.app.count(known).await, 60);
}

#[tokio::test]
async fn a_value_in_another_form_gets_a_single_read() {
    let people: Vec<Value> = (1..=5).map(bamboohr_employee).collect();
    let mut test = BulkTest::new(people.clone()).await;
    let mut rows = people;
    rows[0]["terminationDate"] = "22/11/2026".into();
    rows[1]["status"] = "Aktiv".into();
    rows[2]["terminationDate"] = Value::Null;
    rows[3] = json!({"id": 4, "status": {"value": "Active"}, "employmentHistoryStatus": "", "terminationDate": "",
        "hireDate": "2020-01-05", "workEmail": "dana.4@widgets.example"});
    test.api.script(
        REPORT,
        [Answer::text(200, "application/json", &report_of(&rows))],
    );
    let report = test.full().await;
    assert_eq!((report.incomplete, report.records), (None, 5));
    assert_eq!(test.single_reads(), ["1", "2"]);
}

#[tokio::test]
async fn a_complete_report_marks_missing_employees() {
    let mut test = BulkTest::new(sixty()).await;
    test.full().await;
    test.app.advance(TimeDelta::minutes(20));
    test.company.set(|answers| {
        answers.employees.truncate(59);
    });
    assert_eq!(test.full().await.incomplete, None);
    assert_eq!(test.missing().await, ["60"]);
}

#[tokio::test]
async fn facts_of_a_report_are_as_of_its_request() {
    let mut test = BulkTest::new(vec![bamboohr_employee(1)]).await;
    test.company
        .set(|answers| answers.delay = std::time::Duration::from_millis(20));
    test.full().await;
    let facts = test
        .app
        .lines("SELECT facts::text FROM leaver.employees")
        .await;
    assert!(facts[0].contains("2026-11-22T12:00:00"), "{facts:?}");
}
