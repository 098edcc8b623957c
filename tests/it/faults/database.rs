//! A Postgres that stops, freezes, is read-only, has no free connection or is slow.

use std::time::Duration;

use sqlx::ConnectOptions;
use tokio::time::sleep;

use super::checker::check;
use super::ledger::{Client, Delivery, Endpoints, Line, Said, Senders, people};
use super::scene::{Scene, gathered, put_off};
use crate::support::USERS;
use crate::support::process::Place;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_immediate_stop_under_load_loses_nothing() {
    let mut scene = Scene::new(300, "8s").await;
    let senders = scene.load(16, 600);
    for _ in 0..2 {
        scene.endpoints.until_acknowledged(50).await;
        scene.own.stop_at_once().await;
        scene.own.up().await;
    }
    let (found, ledger) = scene.end(senders).await;
    assert_eq!(found.acknowledged, found.sent, "all waited");
    assert_eq!(put_off(&ledger), 0, "nobody was put off");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_causes_timely_503s_and_recovers() {
    let scene = Scene::new(200, "1s").await;
    let senders = scene.load(16, 400);
    scene.endpoints.until_acknowledged(20).await;
    scene.own.freeze();
    scene.endpoints.until_rejected().await;
    scene.own.thaw();
    let (_, ledger) = scene.end(senders).await;
    assert!(put_off(&ledger) > 0, "it stood still for longer than that");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_database_causes_503_until_it_is_writable() {
    let mut scene = Scene::new(100, "1s").await;
    scene
        .place
        .sql("ALTER SYSTEM SET default_transaction_read_only = on")
        .await;
    scene.place.sql("SELECT pg_reload_conf()").await;
    scene
        .place
        .sql("SET default_transaction_read_only = off")
        .await;
    let senders = scene.load(8, 200);
    scene.endpoints.until_rejected().await;
    scene
        .place
        .sql("ALTER SYSTEM RESET default_transaction_read_only")
        .await;
    scene.place.sql("SELECT pg_reload_conf()").await;
    let (_, ledger) = scene.end(senders).await;
    assert!(put_off(&ledger) > 0, "it could not be written to");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_free_connections_senders_get_503() {
    let mut scene = Scene::new(100, "1s").await;
    let mut others = vec![];
    // Whoever is quicker gets the place of a connection of the service's that ends; in the end we have them all.
    for _ in 0..100 {
        while let Ok(other) = scene.own.options().connect().await {
            others.push(other);
        }
        let ours = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'leaver'";
        if scene.place.count(ours).await == 0 {
            break;
        }
    }
    let senders = scene.load(8, 200);
    scene.endpoints.until_rejected().await;
    drop(others);
    let (_, ledger) = scene.end(senders).await;
    assert!(put_off(&ledger) > 0, "there was no connection");
}

/// Some senders send so many deliveries to a service on the Postgres that all tests share.
async fn shared(
    deliveries: usize,
) -> (
    Place,
    crate::support::process::Served,
    tokio::task::JoinSet<Vec<Line>>,
) {
    let mut place = Place::new(USERS).await;
    place.sql(&people(deliveries)).await;
    let service = place.serve(&[]);
    let endpoints = Endpoints::default();
    endpoints.set(0, Some(service.address()));
    let senders = Senders {
        connections: 8,
        minute: Duration::from_millis(40),
        seed: 4,
    };
    let all = (0..deliveries).map(|n| Delivery::about(n, n)).collect();
    (place, service, senders.send(&endpoints, all))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terminated_connections_lose_no_delivery() {
    let (mut place, service, senders) = shared(400).await;
    for _ in 0..20 {
        place
            .sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'leaver' AND datname = current_database()")
            .await;
        sleep(Duration::from_millis(30)).await;
    }
    let ledger = gathered(senders).await;
    let found = check(&mut place, &ledger).await;
    assert_eq!((found.acknowledged, put_off(&ledger)), (400, 0));
    let attempts = "SELECT COALESCE(sum(attempts), 0)::bigint FROM leaver.deliveries";
    assert_eq!(place.count(attempts).await, 0, "nobody is to blame");
    service.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_snapshot_blocks_nothing() {
    let (mut place, service, senders) = shared(600).await;
    place
        .sql("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM leaver.deliveries")
        .await;
    let ledger = gathered(senders).await;
    let mut watching = Place::over(&place.url, &place.url.parse().unwrap()).await;
    check(&mut watching, &ledger).await;
    let seen = "SELECT count(*) FROM leaver.deliveries WHERE state = 'processed'";
    assert!(
        place.count(seen).await < 600,
        "the snapshot is still the old one"
    );
    place.sql("COMMIT").await;
    service.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_on_the_users_table_blocks_no_sender() {
    let mut place = Place::new(USERS).await;
    place.sql(&people(30)).await;
    let service = place.serve(&[]);
    place
        .sql("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        .await;
    let mut client = Client::default();
    let mut ledger = vec![];
    for n in 0..30 {
        let delivery = Delivery::about(n, n);
        let said = client
            .ask(Some(service.address().to_owned()), &delivery.request())
            .await;
        assert!(matches!(said, Said::Yes(_)), "{said:?}");
        ledger.push(Line {
            delivery,
            said: vec![said],
            slowest: Duration::ZERO,
        });
    }
    // Longer than the service waits for a lock.
    sleep(Duration::from_millis(5_500)).await;
    place.sql("COMMIT").await;
    check(&mut place, &ledger).await;
    service.stop();
}
