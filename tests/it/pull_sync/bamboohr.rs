//! Syncs of a whole BambooHR company.

use chrono::TimeDelta;
use leaver::jobs::sync::SyncMode;
use serde_json::{Value, json};

use super::{CHANGED, SyncTest};
use crate::support::apis::{Answer, bamboohr_employee};
use crate::support::apis_setup::terminated_bamboohr_employee;

#[tokio::test]
async fn a_bamboohr_sync_deactivates_only_leavers() {
    let company: Vec<Value> = (1..=30)
        .map(|n| {
            if [4, 30].contains(&n) {
                terminated_bamboohr_employee(n)
            } else {
                bamboohr_employee(n)
            }
        })
        .collect();
    let mut test = SyncTest::bamboohr(company).await;
    test.api
        .script("/api/v1/employees/4", [Answer::status(503)]);
    let reports = test.sync(SyncMode::Incremental).await;
    assert_eq!(
        (reports[0].incomplete.as_deref(), reports[0].records),
        (None, 30)
    );
    assert_eq!(
        test.off().await,
        ["dana.4@widgets.example", "dana.30@widgets.example"]
    );
    test.app.advance(TimeDelta::minutes(16));
    test.sync(SyncMode::IfDue).await;
    let asked = test.api.requests();
    let since: Vec<_> = asked
        .iter()
        .filter(|a| a.path == CHANGED)
        .map(|a| a.parameter("since").unwrap())
        .collect();
    assert_eq!(since, ["2011-06-05T00:00:00Z", "2026-11-22T11:50:00Z"]);
}

#[tokio::test]
async fn a_bad_bamboohr_read_is_incomplete_and_ends_no_access() {
    let one = "/api/v1/employees/1";
    let empty = Answer::text(200, "application/json", r#"{"latest":"","employees":[]}"#);
    let nulls =
        json!({"id": "1", "status": null, "employmentHistoryStatus": null, "workEmail": null});
    let bad = [
        (CHANGED, empty),
        (CHANGED, Answer::status(403)),
        (CHANGED, Answer::status(404)),
        (
            CHANGED,
            Answer::text(200, "text/html", "<html>Maintenance</html>"),
        ),
        (one, Answer::status(404)),
        (one, Answer::status(403)),
        (one, Answer::json(&nulls)),
        (
            one,
            Answer::json(&json!({"id": "1", "workEmail": "dana.1@widgets.example"})),
        ),
    ];
    let mut test = SyncTest::bamboohr((1..=3).map(bamboohr_employee).collect()).await;
    test.sync(SyncMode::Incremental).await;
    for (path, answer) in bad {
        let shown = format!("{path} {answer:?}");
        test.app.advance(TimeDelta::minutes(20));
        test.api.script(path, [answer]);
        let reports = test.sync(SyncMode::Full).await;
        assert!(reports[0].incomplete.is_some(), "{shown}");
        assert_eq!(test.off().await, [""; 0], "{shown}");
    }
    assert_eq!(test.app.count("SELECT count(*) FROM leaver.holds").await, 0);
}

#[tokio::test]
async fn employees_near_their_termination_are_read_again() {
    let mut soon = bamboohr_employee(1);
    soon["terminationDate"] = "2026-11-23".into();
    let mut test = SyncTest::bamboohr(vec![soon, bamboohr_employee(2)]).await;
    test.sync(SyncMode::Incremental).await;
    let nothing = Answer::text(200, "application/json", r#"{"latest":"","employees":[]}"#);
    test.api.script(CHANGED, [nothing]);
    test.app.advance(TimeDelta::minutes(16));
    let reports = test.sync(SyncMode::IfDue).await;
    assert_eq!(
        (reports[0].incomplete.as_deref(), reports[0].records),
        (None, 1)
    );
    let asked = test.api.requests();
    assert_eq!(asked.last().unwrap().path, "/api/v1/employees/1");
}

#[tokio::test]
async fn a_listed_employee_who_cannot_be_read_stays_pending() {
    let list = r#"{"latest":"","employees":{"1":{"id":"1","action":"Updated","lastChanged":"2026-11-22T12:10:00+00:00"}}}"#;
    for status in [403, 404] {
        let mut test = SyncTest::bamboohr((1..=3).map(bamboohr_employee).collect()).await;
        test.sync(SyncMode::Incremental).await;
        for _ in 0..2 {
            test.app.advance(TimeDelta::minutes(20));
            let listed = Answer::text(200, "application/json", list);
            test.api.script(CHANGED, [listed]);
            test.api
                .script("/api/v1/employees/1", [Answer::status(status)]);
            let reports = test.sync(SyncMode::Incremental).await;
            assert!(reports[0].incomplete.is_some());
            let pending = "SELECT employee_id || ' ' || since FROM leaver.pending_reads";
            let pending = test.app.lines(pending).await;
            assert_eq!(pending, ["1 2026-11-22 12:10:00.999999+00"], "{status}");
        }
        assert_eq!(test.off().await, [""; 0]);
    }
}
