//! Two employees with one account, processed by two replicas at once: the replicas wait for each other.

use std::sync::Arc;

use leaver::jobs::deliveries::{LoopState, Round};
use serde_json::Value;

use super::{active, says, terminated};
use crate::support::driving::{REACTIVATE, merge_record};
use crate::support::{JSON, TestApp, employee, employees};

const DANA: &str = "dana@example.com";

/// A replica takes one delivery, and another the next.
const ONE_EACH: (&str, &str) = ("LEAVER__WORKER__BATCH_SIZE", "1");

fn merge(minute: u8, status: &str, date: Option<&str>) -> (&'static str, Value) {
    let at = format!("2026-11-22T11:{minute:02}:00Z");
    ("merge", merge_record("m1", DANA, &at, status, date))
}

fn bamboohr(id: &str, fields: &Value) -> (&'static str, Value) {
    let entry = employee(id, "2026-11-22T11:30:00Z", &["status"], fields);
    ("bamboohr", employees(&[entry]))
}

/// Two replicas take these in, each one of them and both at once: neither commits before the other has begun.
async fn told_at_once(app: &mut TestApp, told: [(&str, Value); 2]) {
    for (source, body) in told {
        app.send(source, JSON, body.to_string()).await;
    }
    let mut somebody = app.connect().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE leaver.holds IN EXCLUSIVE MODE")
        .execute(&mut somebody)
        .await
        .unwrap();
    let settings = [REACTIVATE, ONE_EACH];
    let mut rounds = vec![];
    for waiting in 1..=2 {
        let replica = app.beside(&["bamboohr", "merge"], &settings).await;
        rounds.push(tokio::spawn(async move {
            let worker = Arc::clone(&replica.parts.deliveries);
            worker.round(&mut LoopState::default()).await
        }));
        app.wait_until_services_wait_for_a_lock(waiting).await;
    }
    sqlx::raw_sql("ROLLBACK")
        .execute(&mut somebody)
        .await
        .unwrap();
    for round in rounds {
        assert_eq!(round.await.unwrap(), Round::Processed(1));
    }
}

#[tokio::test]
async fn no_reactivation_while_another_replica_processes_a_departure() {
    let mut app = TestApp::builder().settings(&[REACTIVATE]).build().await;
    app.add_users(&[DANA]).await;
    says(&mut app, 9, &[("7", active(DANA))]).await;
    let (source, gone) = merge(0, "INACTIVE", Some("2026-11-20T00:00:00Z"));
    app.deliver(source, &gone).await;
    assert!(!app.is_active(DANA).await);

    let departure = bamboohr("7", &terminated(DANA));
    told_at_once(&mut app, [departure, merge(10, "ACTIVE", None)]).await;
    assert!(!app.is_active(DANA).await);
    assert_eq!(app.audit().await, ["deactivated m1", "sessions_ended 7"]);
}

#[tokio::test]
async fn a_return_in_both_sources_at_once_reactivates() {
    let mut app = TestApp::builder().settings(&[REACTIVATE]).build().await;
    app.add_users(&[DANA]).await;
    says(&mut app, 9, &[("7", terminated(DANA))]).await;
    let (source, gone) = merge(0, "INACTIVE", Some("2026-11-20T00:00:00Z"));
    app.deliver(source, &gone).await;
    assert!(!app.is_active(DANA).await);

    let back = bamboohr("7", &active(DANA));
    told_at_once(&mut app, [back, merge(10, "ACTIVE", None)]).await;
    assert!(app.is_active(DANA).await);
    assert_eq!(
        app.audit().await,
        ["deactivated 7", "sessions_ended m1", "reactivated m1"]
    );
}

#[tokio::test]
async fn an_account_of_two_employees_who_leave_at_once_is_off() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA]).await;
    says(&mut app, 9, &[("7", active(DANA))]).await;
    says(&mut app, 9, &[("8", active(DANA))]).await;

    let departures = ["7", "8"].map(|id| bamboohr(id, &terminated(DANA)));
    told_at_once(&mut app, departures).await;
    assert_eq!(app.user(DANA).await, (false, 0));
    // Without hire dates, the record that has not ended yet is no proof of a later employment.
    assert_eq!(app.audit().await, ["hold_opened 7", "deactivated 8"]);
    assert_eq!(app.holds().await, ["withdrawn deactivate 7 1"]);
}
