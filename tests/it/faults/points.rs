//! The real service, killed at each of its fail points and started again.

use std::time::Duration;

use super::checker::{Found, check};
use super::ledger::{Delivery, Endpoints, Senders, people};
use super::load_test::gather;
use crate::support::TestApp;
use crate::support::process::RunningService;

const PEOPLE: usize = 60;

async fn app() -> TestApp {
    let mut app = TestApp::builder().unmigrated().build().await;
    app.sql(&people(PEOPLE)).await;
    app
}

/// Sends everybody's delivery to a service that ends at these points, each at its turn, and to the next one until none
/// ends any more. What it found must hold whatever the point.
async fn ended_at(points: &[&str]) -> Found {
    let mut app = app().await;
    let endpoints = Endpoints::default();
    let deliveries = (0..PEOPLE).map(|n| Delivery::about(n, n)).collect();
    let senders = Senders {
        connections: 8,
        minute: Duration::from_millis(40),
        seed: 1,
    };
    let senders = senders.send(&endpoints, deliveries);
    for point in points {
        let points = [("FAILPOINTS", *point)];
        let mut service = RunningService::start(&app.env(&points));
        endpoints.set(0, Some(service.address()));
        let ended = service.process.wait();
        assert_eq!(ended.code, None, "{point}: {ended:?}");
        endpoints.set(0, None);
    }
    let service = app.serve(&[]);
    endpoints.set(0, Some(service.address()));
    let ledger = gather(senders).await;
    let found = check(&mut app, &ledger).await;
    assert!(found.acknowledged > PEOPLE / 2, "{found:?}");
    service.stop();
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_before_the_flush_has_acknowledged_nothing() {
    ended_at(&["after_verify=abort@5", "before_flush=abort@2"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_before_the_answer_makes_the_retry_a_duplicate() {
    ended_at(&[
        "after_commit_before_reply=abort@1",
        "after_commit_before_reply=abort@4",
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_after_the_claim_frees_the_rows_at_once() {
    ended_at(&["after_claim=abort@1", "after_claim=abort@3"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_in_a_batch_rolls_all_of_it_back() {
    ended_at(&["mid_batch=abort@2", "after_effect_before_commit=abort@1"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_after_the_commit_repeats_no_effect() {
    // Each at its first batch: a slow machine may process the rest in a single second one.
    ended_at(&["after_effect_commit=abort@1", "after_effect_commit=abort@1"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_during_the_insert_leaves_one_row() {
    let mut app = app().await;
    let mut service = app.serve(&[]);
    let endpoints = Endpoints::default();
    endpoints.set(0, Some(service.address()));
    // The insert is one statement that commits by itself, so this is between the two.
    app.sql("BEGIN; LOCK TABLE leaver.deliveries IN EXCLUSIVE MODE")
        .await;
    let senders = Senders {
        connections: 8,
        minute: Duration::from_millis(40),
        seed: 2,
    };
    let deliveries = (0..PEOPLE).map(|n| Delivery::about(n, n)).collect();
    let senders = senders.send(&endpoints, deliveries);
    app
        .wait_for_count(
            3,
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'leaver.deliveries'::regclass",
        )
        .await;
    service.process.kill();
    endpoints.set(0, None);
    app.sql("COMMIT").await;
    let service = app.serve(&[]);
    endpoints.set(0, Some(service.address()));
    let ledger = gather(senders).await;
    let found = check(&mut app, &ledger).await;
    assert!(found.acknowledged > PEOPLE / 2, "{found:?}");
    service.stop();
}
