//! Checks what becomes of leavers whose account the application deletes or creates.

use std::sync::Arc;
use std::time::Duration;

use leaver::engine::holds::resolve::Named;
use leaver::jobs::drift::{DriftMonitor, compare};
use leaver_core::decision::policy::DriftMode;

use crate::support::TestApp;
use crate::support::driving::{event, terminated, working};

const DANA: &str = "dana@example.com";
const LEFT: &str = "2026-11-22T11:00:00+0000";

/// Dana has left, access ended, and the application deletes the account.
async fn ended_and_deleted() -> TestApp {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA]).await;
    app.bamboohr(&[terminated("7", DANA, LEFT)]).await;
    assert_eq!(app.user(DANA).await, (false, 0));
    app.sql("DELETE FROM users").await;
    app
}

fn state(app: &TestApp) -> String {
    let explained = app.run(&["explain", "7", "--json"]).succeeded().json();
    explained[0]["state"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_account_deleted_after_its_end_leaves_the_leaver_ended() {
    let mut app = ended_and_deleted().await;
    let report = compare(&app.parts.engine, DriftMode::Fix).await.unwrap();
    assert!(report.is_clean(), "{report:?}");
    app.bamboohr(&[terminated("7", DANA, "2026-11-22T11:30:00+0000")])
        .await;
    assert_eq!(state(&app), "ended");
    let health = app.get("/health").await.body;
    assert_eq!(health["without_account"], 0, "{health}");
}

#[tokio::test]
async fn a_leaver_who_was_back_without_the_deleted_account_has_no_account() {
    let mut app = ended_and_deleted().await;
    app.bamboohr(&[working("7", DANA, "2026-11-22T11:10:00+0000")])
        .await;
    assert_eq!(state(&app), "employed");
    app.bamboohr(&[terminated("7", DANA, "2026-11-22T11:20:00+0000")])
        .await;
    assert_eq!(state(&app), "no account");
    let health = app.get("/health").await.body;
    assert_eq!(health["without_account"], 1, "{health}");
}

#[tokio::test]
async fn an_account_under_the_address_of_the_deleted_one_is_approved_with_all() {
    let mut app = ended_and_deleted().await;
    app.add_users(&[DANA]).await;
    compare(&app.parts.engine, DriftMode::Fix).await.unwrap();
    assert!(app.is_active(DANA).await);
    assert_eq!(state(&app), "held");
    let hold = app
        .count("SELECT id FROM leaver.holds WHERE state = 'open'")
        .await;
    let approved = app.approve_for(hold, &Named::All).await.unwrap();
    assert!(approved.is_change());
    assert_eq!(app.user(DANA).await, (false, 0));
    assert_eq!(state(&app), "ended");
}

#[tokio::test]
async fn a_check_counts_a_created_account_as_access_and_not_as_missing() {
    let mut app = TestApp::new().await;
    app.bamboohr(&[terminated("7", DANA, LEFT)]).await;
    assert_eq!(state(&app), "no account");
    app.add_users(&[DANA]).await;
    let engine = Arc::clone(&app.parts.engine);
    let monitor = DriftMonitor::new(engine, DriftMode::Report, Duration::from_hours(1));
    monitor.check_if_due().await.unwrap();
    assert!(app.is_active(DANA).await);
    assert_eq!(state(&app), "has access");
    let health = app.get("/health").await.body;
    assert_eq!(health["without_account"], 0, "{health}");
    assert_eq!(health["drift"]["terminated_with_access"], 1, "{health}");
}

#[tokio::test]
async fn a_rejected_question_without_an_account_shows_no_access() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA]).await;
    app.bamboohr(&[working("7", DANA, "2026-11-22T10:00:00+0000")])
        .await;
    app.sql("DELETE FROM users").await;
    app.deliver("bamboohr", &event("employee.updated", "7", LEFT))
        .await;
    assert_eq!(state(&app), "held");
    let hold = app
        .count("SELECT id FROM leaver.holds WHERE state = 'open'")
        .await;
    app.reject(hold).await.unwrap();
    assert_eq!(state(&app), "employed");
    let report = compare(&app.parts.engine, DriftMode::Report).await.unwrap();
    assert!(report.held.is_empty() && report.accepted.is_empty());
}
