//! Accounts that the application holds locked: others are not kept waiting, and the locked ones follow.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use leaver_core::decision::policy::DriftMode;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};

use super::acting::{AS_OF, drift};
use crate::support::TestApp;
use crate::support::driving::{leaving, terminated};

const PENDING: &str = "SELECT count(*) FROM leaver.deliveries WHERE state = 'pending'";

fn email(n: usize) -> String {
    format!("u{n}@example.com")
}

/// This many users.
async fn users(count: usize) -> TestApp {
    let mut app = TestApp::new().await;
    app.sql(&format!(
        "INSERT INTO users (email) SELECT 'u' || n || '@example.com' FROM generate_series(1, {count}) n"
    ))
    .await;
    app
}

/// Entries about employees 1 to `count`.
fn entries(count: usize, entry: impl Fn(&str, &str) -> Value) -> Vec<Value> {
    (1..=count)
        .map(|n| entry(&n.to_string(), &email(n)))
        .collect()
}

/// An employee about whom a person has to decide.
fn doubtful(id: &str, email: &str) -> Value {
    leaving(id, email, AS_OF, "2026-11-20")
}

/// A transaction of the application that has locked these users.
async fn lock(app: &TestApp, ids: &[usize]) -> PgConnection {
    let mut conn = app.connect().await;
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let ids = ids.join(", ");
    let sql = format!("BEGIN; SELECT FROM users WHERE id IN ({ids}) FOR UPDATE");
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut conn)
        .await
        .unwrap();
    conn
}

async fn release(mut conn: PgConnection) {
    sqlx::raw_sql("ROLLBACK").execute(&mut conn).await.unwrap();
}

#[tokio::test]
async fn a_locked_account_delays_no_other_scheduled_end() {
    let mut app = users(51).await;
    let due = entries(51, |id, email| leaving(id, email, AS_OF, "2026-11-30"));
    app.bamboohr(&due).await;
    app.set_clock("2026-12-01T00:00:00Z");
    let lock = lock(&app, &[26]).await;

    let began = Instant::now();
    let error = app.try_run_due().await.unwrap_err();
    let elapsed = began.elapsed();
    assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
    assert!(error.contains("a lock was not available"), "{error}");
    assert_eq!(app.active().await, [email(26)]);
    assert_eq!(app.get("/health").await.body["status"], "ok");
    app.advance(TimeDelta::seconds(61));
    let health = app.get("/health").await.body;
    let reasons = health["reasons"].as_array().unwrap();
    assert_eq!(reasons.len(), 1, "{health}");
    assert_eq!(reasons[0]["code"], "scheduled_ends_overdue", "{health}");
    assert_eq!(health["schedule"]["pending"], 1, "{health}");

    release(lock).await;
    app.run_due().await;
    assert_eq!(app.active().await, [""; 0]);
    assert_eq!(app.get("/health").await.body["status"], "ok");
}

#[tokio::test]
async fn several_locked_accounts_are_left_for_later() {
    let mut app = users(600).await;
    let due = entries(600, |id, email| leaving(id, email, AS_OF, "2026-11-30"));
    app.bamboohr(&due).await;
    app.set_clock("2026-12-01T00:00:00Z");
    let locked = [1, 2, 3, 300, 550, 600];
    let lock = lock(&app, &locked).await;
    app.try_run_due().await.unwrap_err();
    assert_eq!(app.active().await, locked.map(email));
    release(lock).await;
    app.run_due().await;
    assert_eq!(app.active().await, [""; 0]);
}

#[tokio::test]
async fn a_locked_account_delays_no_other_delivery() {
    let mut app = users(20).await;
    for n in 1..=20 {
        let entry = terminated(&n.to_string(), &email(n), AS_OF);
        app.store("bamboohr", &json!({"employees": [entry]})).await;
    }
    let lock = lock(&app, &[7]).await;
    let began = Instant::now();
    app.work().await;
    // The first attempt waits for 5 s.
    let elapsed = began.elapsed();
    assert!(elapsed < Duration::from_secs(8), "{elapsed:?}");
    assert_eq!(app.active().await, [email(7)]);
    assert_eq!(app.count(PENDING).await, 1);
    // Later ones do not wait with it.
    for _ in 0..4 {
        app.advance(TimeDelta::seconds(13));
        let began = Instant::now();
        app.work().await;
        let elapsed = began.elapsed();
        assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
    }
    release(lock).await;
    app.advance(TimeDelta::seconds(13));
    app.work().await;
    assert_eq!(app.active().await, [""; 0]);
    assert_eq!(app.count(PENDING).await, 0);
}

#[tokio::test]
async fn a_locked_account_delays_no_other_of_its_delivery() {
    let mut app = users(20).await;
    let lock = lock(&app, &[7]).await;
    app.bamboohr(&entries(20, |id, email| terminated(id, email, AS_OF)))
        .await;
    assert_eq!(app.active().await, [email(7)]);
    let reason = "SELECT reason FROM leaver.deliveries WHERE state = 'pending'";
    let reason = app.text(reason).await.unwrap();
    assert!(
        reason.contains("nothing could be done for 1 of the 20"),
        "{reason}"
    );
    release(lock).await;
    app.advance(TimeDelta::seconds(13));
    app.work().await;
    assert_eq!(app.active().await, [""; 0]);
}

#[tokio::test]
async fn a_command_does_not_wait_long_for_a_locked_account() {
    let mut app = users(1).await;
    app.bamboohr(&entries(1, doubtful)).await;
    let hold = app.open_hold().await;
    let lock = lock(&app, &[1]).await;
    let began = Instant::now();
    app.approve(hold, None).await.unwrap_err();
    let output = app.run(&["end", "account:1", "--yes", "--reason", "left"]);
    let elapsed = began.elapsed();
    assert!(elapsed < Duration::from_secs(20), "{elapsed:?}");
    assert_eq!(output.code, Some(3), "{output:?}");
    assert!(output.err.contains("lock was not available"), "{output:?}");
    release(lock).await;
    assert_eq!(app.open_hold().await, hold);
    app.approve(hold, None).await.unwrap();
    assert_eq!(app.active().await, [""; 0]);
}

#[tokio::test]
async fn drift_fixes_all_but_the_locked_account() {
    let mut app = users(20).await;
    app.bamboohr(&entries(20, |id, email| terminated(id, email, AS_OF)))
        .await;
    app.sql("UPDATE users SET is_active = true").await;
    let lock = lock(&app, &[7]).await;
    let report = drift(&app, DriftMode::Fix).await;
    assert_eq!(report.fixed.len(), 19);
    let left = &report.terminated_with_access[0];
    assert!(
        left.failure
            .as_ref()
            .unwrap()
            .contains("a lock was not available"),
        "{left:?}"
    );
    release(lock).await;
    assert_eq!(drift(&app, DriftMode::Fix).await.fixed.len(), 1);
    assert_eq!(app.active().await, [""; 0]);
}
