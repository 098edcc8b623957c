//! States that an account changed by hand, or a day that has come, makes outdated.

use std::sync::Arc;
use std::time::Duration;

use leaver::jobs::drift::DriftMonitor;
use leaver_core::decision::policy::DriftMode;
use serde_json::json;

use crate::support::driving::{event, leaving, merge_record};
use crate::support::{TestApp, at, employee};

const THEN: &str = "2026-11-22T11:00:00Z";

async fn compare(app: &TestApp) {
    let every = Duration::from_hours(1);
    let engine = Arc::clone(&app.parts.engine);
    let monitor = DriftMonitor::new(engine, DriftMode::Report, every);
    monitor.check_if_due().await.unwrap().unwrap();
}

#[tokio::test]
async fn a_question_answered_by_hand_is_withdrawn_by_the_check() {
    let mut app = TestApp::new().await;
    app.add_users(&["ana@example.com"]).await;
    app.bamboohr(&[leaving("1", "ana@example.com", THEN, "2026-11-19")])
        .await;
    assert_eq!(app.holds().await, ["open deactivate 1 1"]);

    app.sql("UPDATE users SET is_active = false").await;
    compare(&app).await;
    assert_eq!(app.holds().await, ["withdrawn deactivate 1 1"]);
    assert_eq!(app.get("/health").await.body["holds"], 0);
}

#[tokio::test]
async fn a_past_date_beside_active_counts_without_an_account() {
    let mut app = TestApp::new().await;
    app.bamboohr(&[leaving("1", "nobody@example.com", THEN, "2026-11-19")])
        .await;
    assert_eq!(app.get("/health").await.body["without_account"], 1);
}

#[tokio::test]
async fn nobody_is_asked_about_an_account_that_another_source_ended() {
    let mut app = TestApp::new().await;
    app.add_users(&["ana@example.com"]).await;
    let works = json!({"status": "Active", "terminationDate": "0000-00-00", "workEmail": "ana@example.com"});
    app.bamboohr(&[employee("1", "2026-11-20T11:00:00Z", &["status"], &works)])
        .await;
    let left = merge_record(
        "m-1",
        "ana@example.com",
        THEN,
        "INACTIVE",
        Some("2026-11-21T00:00:00Z"),
    );
    app.store("merge", &left).await;
    app.store("bamboohr", &event("employee.updated", "1", THEN))
        .await;
    app.work().await;
    assert!(!app.is_active("ana@example.com").await);
    assert_eq!(app.get("/health").await.body["holds"], 0);
}

#[tokio::test]
async fn a_changed_cutoff_moves_stored_ends() {
    let mut app = TestApp::new().await;
    app.add_users(&["ana@example.com"]).await;
    app.bamboohr(&[leaving("1", "ana@example.com", THEN, "2026-11-30")])
        .await;
    assert_eq!(
        app.access_ends_at("1").await,
        Some(at("2026-12-01T00:00:00Z"))
    );

    let cutoff = [("LEAVER__POLICY__CUTOFF", "start_of_day")];
    let restarted = app.beside(&["bamboohr", "merge"], &cutoff).await;
    compare(&restarted).await;
    assert_eq!(
        app.access_ends_at("1").await,
        Some(at("2026-11-30T00:00:00Z"))
    );
}
