//! Restored accounts stay as they are until the facts change, whatever repeats the old facts.

use chrono::TimeDelta;
use leaver::base::clock::Clock as _;
use leaver::ingest::inbox;
use leaver::jobs::drift::compare;
use leaver::jobs::sync::{SyncMode, Syncer};
use leaver_core::decision::policy::DriftMode;
use serde_json::json;

use super::{DANA, ELEVEN, EVE, NINE, TEN, restored, undo_last};
use crate::support::apis::{StandIn, bamboohr_company};
use crate::support::apis_setup::{source_with_api, terminated_bamboohr_employee};
use crate::support::driving::{event, leaving, merge_record, terminated, working};
use crate::support::{BAMBOOHR_KEY, TestApp, employees};

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
        [
            "approved deactivate m1 1",
            "rejected deactivate m1 1",
            "rejected deactivate m1 1"
        ]
    );
}

/// A users table whose owners are protected, and the settings for it.
const WITH_OWNERS: &str = "
    CREATE TABLE users (id int PRIMARY KEY, email text, is_active bool DEFAULT true);
    CREATE TABLE owners (id int);
    CREATE TABLE sessions (user_id int);
    INSERT INTO users VALUES (1, 'dana@example.com', true);";
const OWNERS_ARE_PROTECTED: [(&str, &str); 2] = [
    (
        "LEAVER__ACCOUNTS__PROTECTED_WHERE",
        "id IN (SELECT owners.id FROM owners)",
    ),
    ("LEAVER__ACCOUNTS__END_SESSIONS", "[]"),
];

async fn app_with_owners() -> TestApp {
    let builder = TestApp::builder().settings(&OWNERS_ARE_PROTECTED);
    builder.tables(WITH_OWNERS).build().await
}

/// Repeats the facts by a delivery and a drift fix.
async fn repeat(app: &mut TestApp, minute: u8) {
    let at = format!("2026-11-22T11:{minute}:00Z");
    app.bamboohr(&[terminated("1", DANA, &at)]).await;
    compare(&app.parts.engine, DriftMode::Fix).await.unwrap();
    app.advance(TimeDelta::minutes(1));
}

#[tokio::test]
async fn a_hold_for_another_reason_does_not_end_the_undo() {
    for rejected in [false, true] {
        let mut app = app_with_owners().await;
        app.bamboohr(&[terminated("1", DANA, NINE)]).await;
        undo_last(&mut app).await;
        app.sql("INSERT INTO owners VALUES (1)").await;
        repeat(&mut app, 10).await;
        let hold = app.open_hold().await;
        if rejected {
            app.reject(hold).await.unwrap();
        }
        app.sql("DELETE FROM owners").await;
        repeat(&mut app, 20).await;
        repeat(&mut app, 30).await;
        assert!(app.is_active(DANA).await, "{rejected}");
        let open = "SELECT count(*) FROM leaver.holds WHERE state = 'open'";
        assert_eq!(app.count(open).await, 0, "{rejected}");
        let report = compare(&app.parts.engine, DriftMode::Report).await.unwrap();
        assert_eq!(report.accepted.len(), 1, "{rejected}");
    }
}

#[tokio::test]
async fn the_reason_of_an_undone_approval_may_go_away() {
    let mut app = app_with_owners().await;
    app.sql("INSERT INTO owners VALUES (1)").await;
    app.bamboohr(&[terminated("1", DANA, NINE)]).await;
    let hold = app.open_hold().await;
    app.approve(hold, None).await.unwrap();
    undo_last(&mut app).await;
    app.sql("DELETE FROM owners").await;
    repeat(&mut app, 10).await;
    assert!(app.is_active(DANA).await);
}

#[tokio::test]
async fn an_approval_after_an_undo_is_the_last_word() {
    let mut app = app_with_owners().await;
    app.bamboohr(&[terminated("1", DANA, NINE)]).await;
    undo_last(&mut app).await;
    app.sql("INSERT INTO owners VALUES (1)").await;
    repeat(&mut app, 10).await;
    let hold = app.open_hold().await;
    app.approve(hold, None).await.unwrap();
    assert!(!app.is_active(DANA).await);
    app.sql("DELETE FROM owners; UPDATE users SET is_active = true")
        .await;
    repeat(&mut app, 20).await;
    assert!(!app.is_active(DANA).await);
}

#[tokio::test]
async fn facts_that_come_back_end_access_again() {
    let (mut app, _) = restored_dana().await;
    let dated = |at: &str, date: &str| {
        let mut entry = terminated("1", DANA, at);
        entry["fields"]["terminationDate"] = json!(date);
        entry
    };
    app.bamboohr(&[dated(ELEVEN, "2026-11-20")]).await;
    assert_eq!(app.active().await, [EVE]);
    app.sql("UPDATE users SET is_active = true").await;
    app.bamboohr(&[dated("2026-11-22T11:10:00Z", "0000-00-00")])
        .await;
    compare(&app.parts.engine, DriftMode::Fix).await.unwrap();
    assert_eq!(app.active().await, [EVE]);
}

#[tokio::test]
async fn a_read_that_was_pending_does_not_end_access_again() {
    let company = bamboohr_company(vec![terminated_bamboohr_employee(1)]);
    let api = StandIn::start(company).await;
    let secrets = [("SECRET", BAMBOOHR_KEY), ("API_KEY", "api-key")];
    let mut app = TestApp::builder()
        .config_file(&source_with_api("bamboohr", "bamboohr", &api), &secrets)
        .build()
        .await;
    app.add_employees_users(1..=1).await;
    let syncer = Syncer::new(app.parts.engine.clone());
    let source = app.sync_sources(1).remove(0);
    let sync = || syncer.sync(&source, SyncMode::Full, &|_, _| {});
    sync().await.unwrap();
    assert_eq!(app.active().await, [""; 0]);
    app.advance(TimeDelta::minutes(1));
    let now = app.clock.now().to_rfc3339();
    app.deliver("bamboohr", &event("employee.updated", "1", &now))
        .await;
    let pending = "SELECT count(*) FROM leaver.pending_reads";
    assert_eq!(app.count(pending).await, 1);
    undo_last(&mut app).await;
    assert_eq!(app.active().await.len(), 1);
    for _ in 0..2 {
        app.advance(TimeDelta::minutes(1));
        sync().await.unwrap();
        compare(&app.parts.engine, DriftMode::Fix).await.unwrap();
    }
    assert_eq!(app.active().await.len(), 1);
}
