//! Batches are recorded before they run, so that a delivery which crashes the process each time is isolated.

use std::sync::Arc;

use leaver::jobs::deliveries::{LoopState, Round};
use leaver_core::domain::DeliveryId;
use serde_json::json;

use super::{crowd, departure};
use crate::support::{TestApp, employee, employees};

const MARKS: &str = "SELECT count(*) FROM leaver.in_flight_batches";
const ALONE: &str = "SELECT count(*) FROM leaver.deliveries WHERE isolated AND state = 'pending'";

/// Three departures that wait.
async fn three() -> (TestApp, Vec<DeliveryId>) {
    let mut app = TestApp::new().await;
    crowd(&mut app, 3).await;
    let mut ids = vec![];
    for n in 1..=3 {
        ids.push(app.store("bamboohr", &departure(n)).await);
    }
    (app, ids)
}

/// A process had these in hand when it ended.
async fn died_over(app: &mut TestApp, ids: &[DeliveryId]) {
    let list: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
    app.sql(&format!(
        "INSERT INTO leaver.in_flight_batches VALUES (gen_random_uuid(), ARRAY[{}]::uuid[], now())",
        list.join(", ")
    ))
    .await;
    // A process that starts anew remembers nothing.
    app.memory = LoopState::default();
}

#[tokio::test]
async fn a_batch_is_marked_while_it_is_in_flight() {
    let (mut app, _) = three().await;
    let mut somebody = app.connect().await;
    sqlx::raw_sql("BEGIN; SELECT 1 FROM users WHERE id = 3 FOR UPDATE")
        .execute(&mut somebody)
        .await
        .unwrap();
    let worker = Arc::clone(&app.parts.deliveries);
    let working = tokio::spawn(async move { worker.round(&mut LoopState::default()).await });
    app.wait_until_the_service_waits_for_a_lock().await;
    let marked = "SELECT cardinality(delivery_ids)::bigint FROM leaver.in_flight_batches";
    assert_eq!(app.count(marked).await, 3);
    // Another replica leaves it alone: its owner lives.
    let beside = app.beside(&["bamboohr"], &[]).await;
    beside
        .parts
        .deliveries
        .reclaim_orphans(&LoopState::default())
        .await
        .unwrap();
    assert_eq!((app.count(MARKS).await, app.count(ALONE).await), (1, 0));
    sqlx::raw_sql("ROLLBACK")
        .execute(&mut somebody)
        .await
        .unwrap();
    assert_eq!(working.await.unwrap(), Round::Processed(3));
    assert_eq!(app.count(MARKS).await, 0);
}

#[tokio::test]
async fn a_failed_batch_leaves_no_mark() {
    let (mut app, _) = three().await;
    app.refuse_to_change(&[2], "P0001").await;
    app.work().await;
    assert_eq!(app.count(MARKS).await, 0);
    assert_eq!(
        app.count("SELECT count(*) FROM users WHERE is_active")
            .await,
        1
    );
}

#[tokio::test]
async fn after_a_crash_each_delivery_runs_isolated() {
    let (mut app, ids) = three().await;
    died_over(&mut app, &ids[..2]).await;
    // The first two alone, the third as usual.
    for _ in 0..3 {
        assert_eq!(app.round().await, Round::Processed(1));
    }
    assert_eq!(app.round().await, Round::Idle);
    assert_eq!((app.count(MARKS).await, app.count(ALONE).await), (0, 0));
    let attempts = "SELECT sum(attempts)::bigint FROM leaver.deliveries";
    assert_eq!(
        app.count(attempts).await,
        0,
        "nobody of several is to blame"
    );
}

#[tokio::test]
async fn a_crashing_delivery_fails_after_three_isolated_attempts() {
    let (mut app, ids) = three().await;
    // The first time it may have been somebody else in the same process.
    let ends = ["pending", "pending", "pending", "failed"];
    for (round, expected) in ends.into_iter().enumerate() {
        died_over(&mut app, &ids[1..2]).await;
        app.parts
            .deliveries
            .reclaim_orphans(&LoopState::default())
            .await
            .unwrap();
        let state = format!(
            "SELECT state FROM leaver.deliveries WHERE id = '{}'",
            ids[1]
        );
        assert_eq!(
            app.text(&state).await.as_deref(),
            Some(expected),
            "round {round}"
        );
    }
    let reason = "SELECT reason FROM leaver.deliveries WHERE state = 'failed' AND body IS NOT NULL";
    let reason = app.text(reason).await.unwrap();
    assert!(
        reason.starts_with("failed 3 times, last: the service ended"),
        "{reason}"
    );
    app.work().await;
    let active = "SELECT id::text FROM users WHERE is_active ORDER BY users.id";
    assert_eq!(app.lines(active).await, ["2"]);
}

#[tokio::test]
async fn a_committed_batch_is_not_repeated_after_a_crash() {
    let (mut app, ids) = three().await;
    app.work().await;
    died_over(&mut app, &ids).await;
    assert_eq!(app.round().await, Round::Idle);
    assert_eq!((app.count(MARKS).await, app.audit().await.len()), (0, 3));
}

#[tokio::test]
async fn one_delivery_is_executed_for_all_but_the_failing_employee() {
    let mut app = TestApp::builder()
        .settings(&[("LEAVER__WORKER__MAX_ATTEMPTS", "2")])
        .build()
        .await;
    crowd(&mut app, 5).await;
    app.refuse_to_save(&[4]).await;
    let entries: Vec<_> = (1..=5)
        .map(|n| {
            let fields = json!({"status": "Inactive", "employmentHistoryStatus": "Terminated",
                                "workEmail": super::email(n)});
            employee(
                &n.to_string(),
                "2026-11-22T11:00:00+0000",
                &["status"],
                &fields,
            )
        })
        .collect();
    app.deliver("bamboohr", &employees(&entries)).await;
    let active = "SELECT id::text FROM users WHERE is_active ORDER BY users.id";
    assert_eq!(app.lines(active).await, ["4"]);
    assert_eq!(app.audit().await.len(), 4);
    let row = "SELECT state || ' ' || attempts || ' ' || reason FROM leaver.deliveries";
    let said = app.text(row).await.unwrap();
    assert!(
        said.starts_with("pending 1 nothing could be done for 1 of the 5"),
        "{said}"
    );

    app.allow_saves().await;
    app.advance(chrono::TimeDelta::seconds(3));
    app.work().await;
    assert_eq!(app.lines(active).await, [""; 0]);
    assert_eq!(app.audit().await.len(), 5);
    assert!(
        app.text(row).await.is_none(),
        "settled, so without a reason"
    );
}
