//! Restored accounts stay as they are until the facts change, whatever repeats the old facts.

use chrono::TimeDelta;
use leaver::base::clock::Clock as _;
use leaver::ingest::inbox;
use leaver::jobs::drift::compare;
use leaver_core::decision::policy::DriftMode;
use serde_json::json;

use super::{DANA, ELEVEN, EVE, NINE, TEN, restored, undo_last};
use crate::support::TestApp;
use crate::support::driving::{leaving, merge_record, terminated, working};
use crate::support::employees;

/// Dana, who was ended by a delivery and restored by an undo. The delivery has an entry that cannot be read.
async fn restored_dana() -> (TestApp, leaver_core::domain::DeliveryId) {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA, EVE]).await;
    let entries = [terminated("1", DANA, NINE), json!({"id": {}})];
    let delivery = app.store("bamboohr", &employees(&entries)).await;
    app.work().await;
    assert_eq!(app.active().await, [EVE]);
    undo_last(&mut app).await;
    assert_eq!(app.active().await, [DANA, EVE]);
    app.advance(TimeDelta::minutes(1));
    (app, delivery)
}

#[tokio::test]
async fn repeated_facts_do_not_end_access_again() {
    let (mut app, _) = restored_dana().await;
    for minute in [10, 20] {
        let at = format!("2026-11-22T11:{minute}:00Z");
        app.bamboohr(&[terminated("1", DANA, &at)]).await;
        app.advance(TimeDelta::minutes(1));
    }
    assert_eq!(app.active().await, [DANA, EVE]);
    assert_eq!(app.holds().await, ["rejected deactivate 1 1"]);
}

#[tokio::test]
async fn a_replay_does_not_end_access_again() {
    let (mut app, delivery) = restored_dana().await;
    let now = app.clock.now();
    inbox::store::replay(&mut app.conn, &[delivery], now)
        .await
        .unwrap();
    app.work().await;
    assert_eq!(app.active().await, [DANA, EVE]);
}

#[tokio::test]
async fn a_drift_fix_does_not_end_access_again() {
    let (mut app, _) = restored_dana().await;
    for _ in 0..2 {
        let report = compare(&app.parts.engine, DriftMode::Fix).await.unwrap();
        assert!(report.fixed.is_empty() && report.terminated_with_access.is_empty());
        assert_eq!(report.accepted.len(), 1);
    }
    assert_eq!(app.active().await, [DANA, EVE]);
    assert_eq!(app.holds().await, ["rejected deactivate 1 1"]);
}

#[tokio::test]
async fn the_timer_does_not_end_access_again() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA]).await;
    app.bamboohr(&[leaving("1", DANA, NINE, "2026-11-22")])
        .await;
    app.set_clock("2026-11-23T00:00:01Z");
    app.run_due().await;
    assert!(!app.is_active(DANA).await);
    undo_last(&mut app).await;
    for _ in 0..3 {
        app.run_due().await;
        app.bamboohr(&[leaving("1", DANA, TEN, "2026-11-22")]).await;
        compare(&app.parts.engine, DriftMode::Fix).await.unwrap();
        app.advance(TimeDelta::days(1));
    }
    assert!(app.is_active(DANA).await);
    // A later date is another end.
    app.bamboohr(&[leaving("1", DANA, "2026-11-25T10:00:00Z", "2026-11-30")])
        .await;
    app.set_clock("2026-12-01T00:00:01Z");
    app.run_due().await;
    assert!(!app.is_active(DANA).await);
}

#[tokio::test]
async fn a_scheduled_end_outlives_the_undo_of_an_end_by_hand() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA]).await;
    // The command uses the time of the machine.
    app.bamboohr(&[leaving("1", DANA, NINE, "2099-01-05")])
        .await;
    let end = ["end", DANA, "--reason", "ticket 4711", "--yes"];
    app.run(&end).succeeded();
    undo_last(&mut app).await;
    assert!(app.is_active(DANA).await);
    app.set_clock("2099-01-06T00:00:01Z");
    app.run_due().await;
    assert!(!app.is_active(DANA).await);
}

#[tokio::test]
async fn new_facts_end_access_again() {
    let (mut app, _) = restored_dana().await;
    app.bamboohr(&[working("1", DANA, TEN)]).await;
    app.bamboohr(&[terminated("1", DANA, ELEVEN)]).await;
    assert_eq!(app.active().await, [EVE]);
    let (mut app, _) = restored_dana().await;
    let mut dated = terminated("1", DANA, ELEVEN);
    dated["fields"]["terminationDate"] = json!("2026-11-20");
    app.bamboohr(&[dated]).await;
    assert_eq!(app.active().await, [EVE]);
}

#[tokio::test]
async fn another_source_does_not_end_access_again() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA]).await;
    let left = |at| merge_record("m1", DANA, at, "INACTIVE", Some("2026-11-20T00:00:00Z"));
    app.bamboohr(&[working("1", DANA, NINE)]).await;
    app.deliver("merge", &merge_record("m1", DANA, NINE, "ACTIVE", None))
        .await;
    app.bamboohr(&[terminated("1", DANA, TEN)]).await;
    app.deliver("merge", &left(TEN)).await;
    assert!(!app.is_active(DANA).await);
    undo_last(&mut app).await;
    assert!(app.is_active(DANA).await);
    app.advance(TimeDelta::minutes(1));
    app.deliver("merge", &left(ELEVEN)).await;
    app.bamboohr(&[terminated("1", DANA, ELEVEN)]).await;
    compare(&app.parts.engine, DriftMode::Fix).await.unwrap();
    assert!(app.is_active(DANA).await);
}

#[tokio::test]
async fn an_end_by_hand_can_be_undone() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA, EVE]).await;
    app.bamboohr(&[working("1", DANA, NINE)]).await;
    for (who, account) in [(DANA, "1"), (EVE, "2")] {
        let end = ["end", who, "--reason", "ticket 4711", "--yes"];
        app.run(&end).succeeded();
        let report = undo_last(&mut app).await;
        assert_eq!(restored(&report), [account]);
        assert!(app.is_active(who).await);
    }
    // Eve's account belongs to no employee.
    let rows = "SELECT concat_ws(' ', action, source, employee_id, account_id) FROM leaver.audit
                WHERE action = 'reactivated' ORDER BY id";
    assert_eq!(
        app.lines(rows).await,
        ["reactivated bamboohr 1 1", "reactivated - - 2"]
    );
    app.bamboohr(&[working("1", DANA, TEN)]).await;
    compare(&app.parts.engine, DriftMode::Fix).await.unwrap();
    assert_eq!(app.active().await, [DANA, EVE]);
}

#[tokio::test]
async fn an_undone_approval_is_not_asked_about_again() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA]).await;
    let uncertain = |at| merge_record("m1", DANA, at, "INACTIVE", None);
    app.deliver("merge", &uncertain(NINE)).await;
    let hold = app.open_hold().await;
    app.approve(hold, None).await.unwrap();
    assert!(!app.is_active(DANA).await);
    undo_last(&mut app).await;
    app.advance(TimeDelta::minutes(1));
    app.deliver("merge", &uncertain(TEN)).await;
    compare(&app.parts.engine, DriftMode::Fix).await.unwrap();
    assert!(app.is_active(DANA).await);
    assert_eq!(
        app.holds().await,
        ["approved deactivate m1 1", "rejected deactivate m1 1"]
    );
}
