//! A worker that is killed in a transaction: nothing is lost and nothing is half done.

use std::sync::Arc;

use leaver::jobs::deliveries::{LoopState, Round};
use sqlx::PgConnection;
use tokio::task::JoinHandle;

use super::{crowd, departure};
use crate::support::TestApp;

/// Three departures, and somebody of the application's who has the third account locked.
async fn in_the_middle() -> (TestApp, PgConnection, JoinHandle<Round>) {
    let mut app = TestApp::new().await;
    crowd(&mut app, 3).await;
    for n in 1..=3 {
        app.store("bamboohr", &departure(n)).await;
    }
    locked_out(app).await
}

async fn locked_out(mut app: TestApp) -> (TestApp, PgConnection, JoinHandle<Round>) {
    let mut somebody = app.connect().await;
    sqlx::raw_sql("BEGIN; SELECT 1 FROM users WHERE id = 3 FOR UPDATE")
        .execute(&mut somebody)
        .await
        .unwrap();
    let worker = Arc::clone(&app.parts.deliveries);
    let working = tokio::spawn(async move { worker.round(&mut LoopState::default()).await });
    app.wait_until_the_service_waits_for_a_lock().await;
    (app, somebody, working)
}

async fn nothing_has_happened(app: &mut TestApp) {
    let counts = [
        ("SELECT count(*) FROM users WHERE is_active", 3),
        ("SELECT count(*) FROM sessions", 3),
        ("SELECT count(*) FROM leaver.employees", 0),
        ("SELECT count(*) FROM leaver.audit", 0),
        (
            "SELECT count(*) FROM leaver.deliveries
             WHERE state = 'pending' AND attempts = 0 AND body IS NOT NULL",
            3,
        ),
    ];
    for (sql, expected) in counts {
        assert_eq!(app.count(sql).await, expected, "{sql}");
    }
}

async fn all_is_done_in_the_end(mut app: TestApp, mut somebody: PgConnection) {
    sqlx::raw_sql("ROLLBACK")
        .execute(&mut somebody)
        .await
        .unwrap();
    app.wait_until_the_service_is_quiet().await;
    nothing_has_happened(&mut app).await;
    app.work().await;
    let off = "SELECT count(*) FROM users WHERE NOT is_active";
    assert_eq!(app.count(off).await, 3);
    assert_eq!(app.audit().await.len(), 3);
    assert_eq!(app.count("SELECT count(*) FROM sessions").await, 0);
}

#[tokio::test]
async fn a_worker_that_vanishes_in_the_middle_loses_nothing() {
    let (mut app, somebody, working) = in_the_middle().await;
    working.abort();
    assert!(working.await.unwrap_err().is_cancelled());
    nothing_has_happened(&mut app).await;
    all_is_done_in_the_end(app, somebody).await;
}

#[tokio::test]
async fn a_connection_cut_in_a_batch_loses_nothing() {
    let (mut app, somebody, working) = in_the_middle().await;
    app.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'leaver'",
    )
    .await;
    assert_eq!(working.await.unwrap(), Round::Outage);
    nothing_has_happened(&mut app).await;
    all_is_done_in_the_end(app, somebody).await;
}

#[tokio::test]
async fn replicas_skip_deliveries_in_flight() {
    let (app, mut somebody, working) = in_the_middle().await;
    let mut other = app.beside(&["bamboohr", "merge"], &[]).await;
    assert_eq!(other.round().await, Round::Idle);
    sqlx::raw_sql("ROLLBACK")
        .execute(&mut somebody)
        .await
        .unwrap();
    assert_eq!(working.await.unwrap(), Round::Processed(3));
    assert_eq!(other.round().await, Round::Idle);
    assert_eq!(other.audit().await.len(), 3);
}

/// ```text
/// a replica:     claims, works ............ fails, rolls back            notes the failure: nothing to note
/// another one:                  asks for the row .......... settles it
/// ```
#[tokio::test]
async fn a_replica_that_fails_does_not_park_what_another_has_settled() {
    let mut app = TestApp::builder()
        .settings(&[("LEAVER__WORKER__MAX_ATTEMPTS", "1")])
        .build()
        .await;
    crowd(&mut app, 3).await;
    app.store("bamboohr", &departure(3)).await;
    app.refuse_to_change(&[3], "P0001").await;
    let (mut app, mut somebody, working) = locked_out(app).await;

    let mut another = leaver::service::connect(&app.options).await.unwrap();
    let settling = tokio::spawn(async move {
        let settle = "UPDATE leaver.deliveries SET state = 'processed', body = NULL";
        sqlx::raw_sql(settle).execute(&mut another).await.unwrap();
    });
    app.wait_until_services_wait_for_a_lock(2).await;
    sqlx::raw_sql("ROLLBACK")
        .execute(&mut somebody)
        .await
        .unwrap();
    settling.await.unwrap();
    working.await.unwrap();

    let state = "SELECT state || ' ' || attempts FROM leaver.deliveries";
    assert_eq!(app.text(state).await.as_deref(), Some("processed 0"));
}
