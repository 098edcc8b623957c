//! Shadow mode: changes are planned and not made.

use chrono::TimeDelta;
use leaver::base::clock::Clock as _;
use leaver::engine::shadow::change_mode::start_shadow_mode;
use leaver::jobs::drift::compare;
use leaver::service;
use leaver_core::decision::policy::DriftMode;
use leaver_core::domain::SourceName;
use serde_json::json;
use sqlx::Connection;

use super::{email, employ, inactive, report};
use crate::support::driving::{REACTIVATE, leaving, merge_record};
use crate::support::{TestApp, ada, employee, employees};

/// The mode in which all sources start.
pub(super) const SHADOW: (&str, &str) = ("LEAVER__SAFEGUARD__MODE", "shadow");

/// Returns an app whose sources start in shadow mode.
pub(super) async fn shadowed_app() -> TestApp {
    TestApp::builder().settings(&[SHADOW]).build().await
}

pub(super) fn bamboohr() -> SourceName {
    SourceName::parse("bamboohr").unwrap()
}

/// Returns the plan as `direction employee account cause`.
async fn plan(app: &mut TestApp) -> Vec<String> {
    app.lines("SELECT concat_ws(' ', direction, employee_id, account_id, cause) FROM leaver.plan ORDER BY employee_id")
        .await
}

#[tokio::test]
async fn a_leaver_is_planned_and_nothing_is_done() {
    let mut app = shadowed_app().await;
    employ(&mut app, 4).await;
    app.advance(TimeDelta::minutes(1));
    report(&mut app, 0..2, false).await;
    assert_eq!(
        plan(&mut app).await,
        ["deactivated 0 1 webhook", "deactivated 1 2 webhook"]
    );
    assert_eq!(app.user(&email(0)).await, (true, 2));
    let done = "SELECT (SELECT count(*) FROM leaver.changes) + (SELECT count(*) FROM leaver.audit)
                + (SELECT count(*) FROM leaver.employees WHERE deactivated_at IS NOT NULL OR departure IS NOT NULL)";
    assert_eq!(app.count(done).await, 0);
    let outcome =
        app.text("SELECT outcome::text FROM leaver.deliveries ORDER BY received_at DESC LIMIT 1");
    assert_eq!(outcome.await.as_deref(), Some(r#"{"planned": 2}"#));
}

#[tokio::test]
async fn a_planned_change_keeps_its_time_until_facts_change() {
    let mut app = shadowed_app().await;
    employ(&mut app, 2).await;
    app.advance(TimeDelta::minutes(1));
    report(&mut app, 0..2, false).await;
    let planned_at = "SELECT planned_at::text FROM leaver.plan WHERE employee_id = '0'";
    let first = app.text(planned_at).await;
    app.advance(TimeDelta::minutes(1));
    report(&mut app, 0..1, false).await;
    assert_eq!(app.text(planned_at).await, first);
    app.advance(TimeDelta::minutes(1));
    report(&mut app, 0..1, true).await;
    assert_eq!(plan(&mut app).await, ["deactivated 1 2 webhook"]);
}

#[tokio::test]
async fn a_scheduled_end_is_planned_when_it_comes() {
    let mut app = shadowed_app().await;
    app.add_users(&["tom@example.com"]).await;
    let time = app.clock.now().to_rfc3339();
    app.bamboohr(&[leaving("7", "tom@example.com", &time, "2026-11-23")])
        .await;
    assert_eq!(app.audit().await, ["scheduled 7"]);
    assert!(plan(&mut app).await.is_empty());
    app.set_clock("2026-11-24T12:00:00Z");
    app.run_due().await;
    app.run_due().await;
    assert_eq!(plan(&mut app).await, ["deactivated 7 1 timer"]);
    assert!(app.is_active("tom@example.com").await);
    assert_eq!(app.audit().await, ["scheduled 7"]);
}

#[tokio::test]
async fn only_the_source_in_shadow_mode_is_planned() {
    let mut app = TestApp::new().await;
    app.add_users(&["a@example.com", "b@example.com"]).await;
    start(&mut app).await;
    let time = app.clock.now().to_rfc3339();
    let fields = json!({"status": "Inactive", "employmentHistoryStatus": "Terminated", "workEmail": "a@example.com"});
    app.deliver(
        "bamboohr",
        &employees(&[employee("1", &time, &["status"], &fields)]),
    )
    .await;
    let ended = Some("2026-11-20T00:00:00Z");
    app.deliver(
        "merge",
        &merge_record("2", "b@example.com", &time, "INACTIVE", ended),
    )
    .await;
    assert_eq!(app.active().await, ["a@example.com"]);
    assert_eq!(plan(&mut app).await, ["deactivated 1 1 webhook"]);
    let health = app.get("/health").await.body;
    assert_eq!(health["mode"], "mixed");
    assert_eq!(health["sources"]["bamboohr"]["mode"], "shadow");
    assert_eq!(health["sources"]["merge"]["mode"], "enforce");
}

#[tokio::test]
async fn a_return_is_planned_and_the_account_stays_off() {
    let mut app = TestApp::builder().settings(&[REACTIVATE]).build().await;
    employ(&mut app, 1).await;
    app.advance(TimeDelta::minutes(1));
    report(&mut app, 0..1, false).await;
    assert_eq!(inactive(&mut app).await, 1);
    start(&mut app).await;
    app.advance(TimeDelta::days(1));
    report(&mut app, 0..1, true).await;
    assert_eq!(plan(&mut app).await, ["reactivated 0 1 webhook"]);
    assert_eq!(inactive(&mut app).await, 1);
}

#[tokio::test]
async fn nothing_is_held_above_the_limits() {
    let mut app = TestApp::builder()
        .settings(&[
            SHADOW,
            ("LEAVER__SAFEGUARD__HOUR__FLOOR", "1"),
            ("LEAVER__SAFEGUARD__DAY__FLOOR", "1"),
        ])
        .build()
        .await;
    employ(&mut app, 5).await;
    app.advance(TimeDelta::minutes(1));
    report(&mut app, 0..5, false).await;
    assert_eq!(plan(&mut app).await.len(), 5);
    assert_eq!(app.count("SELECT count(*) FROM leaver.trips").await, 0);
    assert_eq!(app.count("SELECT count(*) FROM leaver.holds").await, 0);
}

#[tokio::test]
async fn drift_lists_a_planned_leaver_and_health_stays_ok() {
    let mut app = shadowed_app().await;
    employ(&mut app, 2).await;
    app.advance(TimeDelta::minutes(1));
    report(&mut app, 0..1, false).await;
    for mode in [DriftMode::Report, DriftMode::Fix] {
        let found = compare(&app.parts.engine, mode).await.unwrap();
        assert_eq!(found.terminated_with_access.len(), 1, "{mode:?}");
        assert!(found.terminated_with_access[0].planned);
        assert_eq!(found.unplanned_access(), 0);
        assert!(!found.is_clean() && found.fixed.is_empty());
    }
    assert!(app.is_active(&email(0)).await);
    // Somebody ends the access by hand: nothing is left to plan.
    app.sql("UPDATE users SET is_active = false WHERE id = 1")
        .await;
    let found = compare(&app.parts.engine, DriftMode::Fix).await.unwrap();
    assert!(found.is_clean());
    assert!(plan(&mut app).await.is_empty());
}

#[tokio::test]
async fn a_rejected_hold_is_not_planned() {
    let mut app = super::app_with_limits((1, 1), (1, 1)).await;
    employ(&mut app, 3).await;
    app.advance(TimeDelta::minutes(1));
    report(&mut app, 0..2, false).await;
    app.sql(
        "UPDATE leaver.trips SET state = 'rejected'; UPDATE leaver.holds SET state = 'rejected'",
    )
    .await;
    start(&mut app).await;
    app.advance(TimeDelta::minutes(1));
    report(&mut app, 0..3, false).await;
    assert_eq!(plan(&mut app).await, ["deactivated 2 3 webhook"]);
}

/// Puts BambooHR into shadow mode.
pub(super) async fn start(app: &mut TestApp) {
    let (policies, now) = (service::policies(&app.settings), app.clock.now());
    let (source, ada) = (bamboohr(), ada());
    let started = start_shadow_mode(&mut app.session.conn, &policies, &source, &ada, now);
    assert!(started.await.unwrap());
}

#[tokio::test]
async fn shadow_mode_begins_after_the_changes_in_flight() {
    let mut app = TestApp::new().await;
    employ(&mut app, 2).await;
    app.advance(TimeDelta::minutes(1));
    // The application holds the row, so that the service has read the mode and waits.
    let mut application = app.connect().await;
    let mut held = application.begin().await.unwrap();
    sqlx::query("SELECT FROM users WHERE id = 1 FOR UPDATE")
        .execute(&mut *held)
        .await
        .unwrap();
    let mut service = app.beside(&["bamboohr"], &[]).await;
    let (mut other, clock) = (app.connect().await, app.clock.clone());
    let policies = service::policies(&app.settings);
    let working = async { report(&mut service, 0..1, false).await };
    let starting = async {
        app.wait_until_the_service_waits_for_a_lock().await;
        let (source, ada) = (bamboohr(), ada());
        let starting = start_shadow_mode(&mut other, &policies, &source, &ada, clock.now());
        tokio::pin!(starting);
        let waits = tokio::time::timeout(std::time::Duration::from_millis(300), &mut starting);
        assert!(waits.await.is_err(), "it did not wait for the change");
        held.commit().await.unwrap();
        assert!(starting.await.unwrap());
        // Nothing of it comes later.
        assert_eq!(inactive(&mut app).await, 1);
    };
    tokio::join!(working, starting);
    app.advance(TimeDelta::minutes(1));
    report(&mut app, 1..2, false).await;
    assert_eq!(inactive(&mut app).await, 1);
    assert_eq!(plan(&mut app).await, ["deactivated 1 2 webhook"]);
}
