//! A Postgres that stops, freezes, is read-only, has no free connection or is slow.

use std::time::Duration;

use sqlx::ConnectOptions;
use tokio::time::sleep;

use super::checker::check;
use super::ledger::{Client, Delivery, Endpoints, Line, Reply, Senders, people};
use super::load_test::{LoadTest, count_503, gather};
use crate::support::TestApp;
use crate::support::database::Session;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_immediate_stop_under_load_loses_nothing() {
    let mut test = LoadTest::new(300, "8s").await;
    let senders = test.load(16, 600);
    for _ in 0..2 {
        test.endpoints.wait_until_acknowledged(50).await;
        test.own.crash().await;
        test.own.start_again().await;
    }
    let (found, ledger) = test.end(senders).await;
    assert_eq!(found.acknowledged, found.sent, "all waited");
    assert_eq!(count_503(&ledger), 0, "nobody was put off");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_causes_timely_503s_and_recovers() {
    let test = LoadTest::new(200, "1s").await;
    let senders = test.load(16, 400);
    test.endpoints.wait_until_acknowledged(20).await;
    test.own.freeze();
    test.endpoints.wait_until_rejected().await;
    test.own.thaw();
    let (_, ledger) = test.end(senders).await;
    assert!(
        count_503(&ledger) > 0,
        "it stood still for longer than that"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_database_causes_503_until_it_is_writable() {
    let mut test = LoadTest::new(100, "1s").await;
    test.app
        .sql("ALTER SYSTEM SET default_transaction_read_only = on")
        .await;
    test.app.sql("SELECT pg_reload_conf()").await;
    test.app
        .sql("SET default_transaction_read_only = off")
        .await;
    let senders = test.load(8, 200);
    test.endpoints.wait_until_rejected().await;
    test.app
        .sql("ALTER SYSTEM RESET default_transaction_read_only")
        .await;
    test.app.sql("SELECT pg_reload_conf()").await;
    let (_, ledger) = test.end(senders).await;
    assert!(count_503(&ledger) > 0, "it could not be written to");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_free_connections_senders_get_503() {
    let mut test = LoadTest::new(100, "1s").await;
    let mut others = vec![];
    // The service may take a connection that it has lost again. In the end the test has all of them.
    for _ in 0..100 {
        while let Ok(other) = test.own.options().connect().await {
            others.push(other);
        }
        let ours = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'leaver'";
        if test.app.count(ours).await == 0 {
            break;
        }
    }
    let senders = test.load(8, 200);
    test.endpoints.wait_until_rejected().await;
    drop(others);
    let (_, ledger) = test.end(senders).await;
    assert!(count_503(&ledger) > 0, "there was no connection");
}

/// Starts senders of this many deliveries to a service on the Postgres that all tests share.
async fn shared(
    deliveries: usize,
) -> (
    TestApp,
    crate::support::process::RunningService,
    tokio::task::JoinSet<Vec<Line>>,
) {
    let mut app = TestApp::builder().unmigrated().build().await;
    app.sql(&people(deliveries)).await;
    let service = app.serve(&[]);
    let endpoints = Endpoints::default();
    endpoints.set(0, Some(service.address()));
    let senders = Senders {
        connections: 8,
        minute: Duration::from_millis(40),
        seed: 4,
    };
    let all = (0..deliveries).map(|n| Delivery::about(n, n)).collect();
    (app, service, senders.send(&endpoints, all))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terminated_connections_lose_no_delivery() {
    let (mut app, service, senders) = shared(400).await;
    for _ in 0..20 {
        app
            .sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'leaver' AND datname = current_database()")
            .await;
        sleep(Duration::from_millis(30)).await;
    }
    let ledger = gather(senders).await;
    let found = check(&mut app, &ledger).await;
    assert_eq!((found.acknowledged, count_503(&ledger)), (400, 0));
    let attempts = "SELECT COALESCE(sum(attempts), 0)::bigint FROM leaver.deliveries";
    assert_eq!(app.count(attempts).await, 0, "nobody is to blame");
    service.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_snapshot_blocks_nothing() {
    let (mut app, service, senders) = shared(600).await;
    app.sql("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM leaver.deliveries")
        .await;
    let ledger = gather(senders).await;
    let mut watching = Session::open(&app.options).await;
    check(&mut watching, &ledger).await;
    let seen = "SELECT count(*) FROM leaver.deliveries WHERE state = 'processed'";
    assert!(
        app.count(seen).await < 600,
        "the snapshot is still the old one"
    );
    app.sql("COMMIT").await;
    service.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_on_the_users_table_blocks_no_sender() {
    let mut app = TestApp::builder().unmigrated().build().await;
    app.sql(&people(30)).await;
    let service = app.serve(&[]);
    app.sql("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        .await;
    let mut client = Client::default();
    let mut ledger = vec![];
    for n in 0..30 {
        let delivery = Delivery::about(n, n);
        let reply = client
            .ask(Some(service.address().to_owned()), &delivery.request())
            .await;
        assert!(matches!(reply, Reply::Accepted(_)), "{reply:?}");
        ledger.push(Line {
            delivery,
            replies: vec![reply],
            slowest: Duration::ZERO,
        });
    }
    // The lock is held until the lock timeout has ended a transaction of the service.
    let waiting = "FROM pg_locks WHERE NOT granted AND relation = 'users'::regclass";
    app.wait_for_count(1, &format!("SELECT least(count(*), 1) {waiting}"))
        .await;
    let transactions = format!("SELECT virtualtransaction {waiting}");
    let first = app.lines(&transactions).await.remove(0);
    let is_waiting = format!("SELECT count(*) {waiting} AND virtualtransaction = '{first}'");
    app.wait_for_count(0, &is_waiting).await;
    app.sql("COMMIT").await;
    check(&mut app, &ledger).await;
    service.stop();
}
