//! Housekeeping, and notifications between replicas.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;
use sqlx::Connection;
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio_util::sync::CancellationToken;

use super::{crowd, departure};
use leaver::jobs::deliveries::DeliveryWorker;
use leaver::jobs::deliveries::notify::Listener;
use leaver::jobs::runner::{Job, Next, run};

use crate::support::{FORM, TestApp};

#[tokio::test]
async fn what_was_settled_long_ago_is_forgotten_and_nothing_else() {
    let mut app = TestApp::builder()
        .settings(&[("LEAVER__INBOX__RETENTION", "30d")])
        .build()
        .await;
    crowd(&mut app, 3).await;
    app.deliver("bamboohr", &departure(1)).await;
    app.deliver("bamboohr", &json!({"type": "company.updated"}))
        .await;
    app.deliver("bamboohr", &json!({"employees": "nonsense"}))
        .await;
    app.advance(TimeDelta::days(20));
    app.deliver("bamboohr", &departure(2)).await;
    app.store("bamboohr", &departure(3)).await;
    let states = "SELECT state FROM leaver.deliveries ORDER BY id";
    let all = ["processed", "ignored", "failed", "processed", "pending"];
    assert_eq!(app.lines(states).await, all);

    app.parts.housekeeping.run_once().await.unwrap();
    assert_eq!(app.lines(states).await, all);
    app.advance(TimeDelta::days(11));
    app.parts.housekeeping.run_once().await.unwrap();
    // The failed one has lost its body (inbox.failed_retention), so there is nothing left to replay.
    assert_eq!(app.lines(states).await, ["processed", "pending"]);
    assert_eq!(app.audit().await.len(), 2, "the record stays");

    // The same body again is read again, and says nothing new.
    app.deliver("bamboohr", &departure(1)).await;
    assert_eq!(app.audit().await.len(), 3);
    assert_eq!(app.lines(states).await, ["processed"; 3]);
}

#[tokio::test]
async fn lists_that_were_shown_are_deleted_and_changes_are_kept() {
    let settings = [("LEAVER__SAFEGUARD__APPROVAL_EXPIRES", "40d")];
    let mut app = TestApp::builder().settings(&settings).build().await;
    crowd(&mut app, 3).await;
    app.deliver("bamboohr", &departure(1)).await;
    for subject in ["used", "open"] {
        app.sql(&format!(
            "INSERT INTO leaver.previews (kind, subject, digest, members, made_at, made_by, used_at)
             VALUES ('undo', '{subject}', '1f0c-77ab-90d2-e5b1', '[1]', '2026-11-22 12:00Z', 'ada',
                     CASE WHEN '{subject}' = 'used' THEN timestamptz '2026-11-22 12:01Z' END)"
        ))
        .await;
    }
    let previews = "SELECT count(*) FROM leaver.previews";
    for (days, left) in [(39, 2), (500, 0)] {
        app.advance(TimeDelta::days(days));
        app.parts.housekeeping.run_once().await.unwrap();
        assert_eq!(app.count(previews).await, left);
    }
    let recorded =
        "SELECT (SELECT count(*) FROM leaver.changes) + (SELECT count(*) FROM leaver.batches)";
    assert_eq!(app.count(recorded).await, 2);
}

#[tokio::test]
async fn more_than_a_slice_goes_in_one_night() {
    let mut app = TestApp::new().await;
    app.sql(
        "INSERT INTO leaver.deliveries (id, fingerprint, source, digest, received_at, body_bytes, state, next_attempt_at, processed_at)
         SELECT gen_random_uuid(), gen_random_uuid(), 'merge', int4send(n), '2026-01-01', 1, 'processed', '2026-01-01', '2026-01-01'
         FROM generate_series(1, 12000) n",
    )
    .await;
    app.parts.housekeeping.run_once().await.unwrap();
    assert_eq!(app.count("SELECT count(*) FROM leaver.deliveries").await, 0);
}

#[tokio::test]
async fn a_full_batch_notifies_the_other_replicas() {
    let mut app = TestApp::builder()
        .settings(&[("LEAVER__WORKER__BATCH_SIZE", "2")])
        .build()
        .await;
    crowd(&mut app, 5).await;
    let mut listener =
        PgListener::connect_with(&PgPoolOptions::new().connect_lazy_with(app.options.clone()))
            .await
            .unwrap();
    listener.listen("leaver").await.unwrap();
    for n in 1..=5 {
        app.store("bamboohr", &departure(n)).await;
    }
    let stop = CancellationToken::new();
    let worker = DeliveryWorker::new(Arc::clone(&app.parts.deliveries));
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { run(worker, &stop).await }
    });
    let heard = tokio::time::timeout(Duration::from_secs(20), listener.recv()).await;
    assert_eq!(heard.unwrap().unwrap().channel(), "leaver");
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn in_a_rush_of_senders_batches_take_turns() {
    for (senders, takes_turns) in [(1_000, true), (10, false)] {
        let mut app = TestApp::builder()
            .settings(&[("LEAVER__WORKER__BATCH_SIZE", "1")])
            .build()
            .await;
        crowd(&mut app, 2).await;
        let waiting: Vec<_> = (0..senders)
            .map(|_| app.parts.liveness.sender_waiting())
            .collect();
        app.store("bamboohr", &departure(1)).await;
        let mut somebody = app.connect().await;
        sqlx::raw_sql("BEGIN; SELECT 1 FROM users WHERE id = 1 FOR UPDATE")
            .execute(&mut somebody)
            .await
            .unwrap();
        let stop = CancellationToken::new();
        let loops = [(); 2].map(|()| {
            let worker = DeliveryWorker::new(Arc::clone(&app.parts.deliveries));
            let stop = stop.clone();
            tokio::spawn(async move { run(worker, &stop).await })
        });
        app.wait_until_the_service_waits_for_a_lock().await;
        assert_eq!(
            app.parts.deliveries.overload_lock.try_lock().is_err(),
            takes_turns
        );
        sqlx::raw_sql("COMMIT")
            .execute(&mut somebody)
            .await
            .unwrap();
        while app.audit().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.cancel();
        for done in loops {
            done.await.unwrap();
        }
        drop(waiting);
        assert!(!app.parts.liveness.is_overloaded());
    }
}

#[tokio::test]
async fn timed_bodies_are_deduplicated_for_a_week() {
    let mut app = TestApp::new().await;
    crowd(&mut app, 2).await;
    let untimed = "employees[2][changedFields][]=status&employees[2][status]=Active";
    app.deliver("bamboohr", &departure(1)).await;
    app.send("bamboohr", FORM, untimed).await;
    app.work().await;
    let known = "SELECT (fingerprint IS NOT NULL)::text FROM leaver.deliveries ORDER BY id";
    app.advance(TimeDelta::days(6));
    app.parts.housekeeping.run_once().await.unwrap();
    assert_eq!(app.lines(known).await, ["true", "true"]);
    app.advance(TimeDelta::days(2));
    app.parts.housekeeping.run_once().await.unwrap();
    assert_eq!(app.lines(known).await, ["false", "true"]);

    let record = app.audit().await;
    let again = app.deliver("bamboohr", &departure(1)).await;
    assert_eq!(again.body["duplicate"], json!(false));
    assert_eq!(app.audit().await, record);
    let again = app.send("bamboohr", FORM, untimed).await;
    assert_eq!(again.body["duplicate"], json!(true));
    let outcome = "SELECT outcome::text FROM leaver.deliveries ORDER BY id DESC LIMIT 1";
    assert_eq!(app.lines(outcome).await, [r#"{"unchanged": 1}"#]);
}

#[tokio::test]
async fn a_notification_wakes_a_worker() {
    let mut app = TestApp::new().await;
    let stop = CancellationToken::new();
    let notifications = app.parts.engine.notifications.clone();
    let listener = Listener::new(app.parts.engine.pool.clone(), notifications);
    let listening = tokio::spawn({
        let stop = stop.clone();
        async move { run(listener, &stop).await }
    });
    let listens = "SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND query LIKE 'LISTEN%leaver%'";
    while app.count(listens).await == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let arrived = Arc::clone(&app.parts.engine.notifications.deliveries_arrived);
    // When it begins to listen, messages may have been lost.
    arrived.notified().await;
    let woken = arrived.notified();
    app.sql("NOTIFY leaver, 'deliveries'").await;
    tokio::time::timeout(Duration::from_secs(20), woken)
        .await
        .unwrap();
    stop.cancel();
    listening.await.unwrap();
}

#[tokio::test]
async fn a_notified_worker_queries_though_another_found_nothing() {
    let mut app = TestApp::new().await;
    crowd(&mut app, 1).await;
    let deliveries = &app.parts.deliveries;
    let mut notified = DeliveryWorker::new(Arc::clone(deliveries));
    let mut other = DeliveryWorker::new(Arc::clone(deliveries));
    assert!(matches!(notified.tick().await, Next::Poll(_)));

    app.store("bamboohr", &departure(1)).await;
    notified.notified();
    // The other one finds nothing, as by a query from before the delivery, and begins the wait that both share.
    let mut session = app.connect().await;
    let mut tx = session.begin().await.unwrap();
    sqlx::query("SELECT id FROM leaver.deliveries FOR UPDATE")
        .fetch_all(&mut *tx)
        .await
        .unwrap();
    assert!(matches!(other.tick().await, Next::Poll(_)));
    tx.rollback().await.unwrap();

    assert_eq!(notified.tick().await, Next::Again);
    let pending = "SELECT count(*) FROM leaver.deliveries WHERE state = 'pending'";
    assert_eq!(app.count(pending).await, 0);
}
