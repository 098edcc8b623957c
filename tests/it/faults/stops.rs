//! A service that is stopped under load, or started with other keys.

use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::sleep;

use super::checker::check;
use super::ledger::{Client, Delivery, Endpoints, Reply, Senders, people};
use super::load_test::gather;
use crate::support::process::{RunningService, command};
use crate::support::{BAMBOOHR_KEY, MERGE_KEY, TestApp};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_key_rotation_rejects_no_sender() {
    let mut app = TestApp::builder().unmigrated().build().await;
    app.sql(&people(500)).await;
    let endpoints = Endpoints::default();
    let mut replicas = vec![];
    for replica in 0..2 {
        let service = app.serve(&[]);
        endpoints.set(replica, Some(service.address()));
        replicas.push(service);
    }
    let deliveries = (0..1_500).map(|n| Delivery::about(n % 500, n)).collect();
    let senders = Senders {
        connections: 8,
        minute: Duration::from_millis(40),
        seed: 5,
    };
    let senders = senders.send(&endpoints, deliveries);
    let rotated = [
        ("BAMBOOHR_WEBHOOK_SECRET", "a newer bamboohr key"),
        ("BAMBOOHR_WEBHOOK_SECRET_PREVIOUS", BAMBOOHR_KEY),
        ("MERGE_WEBHOOK_SECRET", "a newer merge key"),
        ("MERGE_WEBHOOK_SECRET_PREVIOUS", MERGE_KEY),
    ];
    for replica in 0..2 {
        endpoints.wait_until_acknowledged(100).await;
        replicas.remove(0).stop();
        let service = app.serve(&rotated);
        endpoints.set(replica, Some(service.address()));
        replicas.push(service);
    }
    let ledger = gather(senders).await;
    let found = check(&mut app, &ledger).await;
    assert!(found.acknowledged > 1_400, "{found:?}");
    for service in replicas {
        service.stop();
    }
}

/// Starts a service whose Merge keys are in two files.
fn with_files(app: &TestApp) -> RunningService {
    let files =
        ["new", "old"].map(|name| app.file(name, "a key of nobody's").display().to_string());
    let config = format!(
        r#"
        [[sources]]
        name = "merge"
        provider = "merge"
        webhook_secrets = ["file:{}", "file:{}"]
        [[sources]]
        name = "bamboohr"
        provider = "bamboohr"
        webhook_secrets = ["env:BAMBOOHR_WEBHOOK_SECRET"]
        "#,
        files[0], files[1]
    );
    let config = app.file("leaver.toml", &config);
    let args = ["serve", "--config", config.to_str().unwrap()];
    let mut service = RunningService::start_command(command(&args, &app.env(&[])));
    service.wait_until_ready();
    service
}

/// Sends a delivery of Merge and returns the response.
async fn reply(service: &RunningService, n: usize) -> Reply {
    let address = Some(service.address().to_owned());
    let request = Delivery::about(2 * n + 1, n).request();
    Client::default().ask(address, &request).await
}

#[tokio::test]
async fn sighup_reloads_the_keys_and_keeps_them_on_failure() {
    let app = TestApp::builder().unmigrated().build().await;
    let mut service = with_files(&app);
    assert_eq!(reply(&service, 0).await, Reply::Refused(401));
    app.file("new", MERGE_KEY);
    service.process.signal(Signal::SIGHUP);
    service.process.wait_for("replaced the webhook keys");
    assert!(matches!(reply(&service, 1).await, Reply::Accepted(_)));

    let file = app.file("new", "");
    service.process.signal(Signal::SIGHUP);
    service.process.wait_for("is empty");
    assert!(matches!(reply(&service, 2).await, Reply::Accepted(_)));
    std::fs::remove_file(&file).unwrap();
    service.process.signal(Signal::SIGHUP);
    service.process.wait_for("cannot read");
    assert!(matches!(reply(&service, 3).await, Reply::Accepted(_)));

    app.file("new", "another key of nobody's");
    service.process.signal(Signal::SIGHUP);
    service.process.wait_for("replaced the webhook keys");
    while reply(&service, 4).await != Reply::Refused(401) {
        sleep(Duration::from_millis(20)).await;
    }
    let log = service.stop().err;
    assert!(log.contains("keeping the current webhook keys"), "{log}");
    assert!(
        !log.contains(MERGE_KEY) && !log.contains("key of nobody's"),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reloading_keys_under_load_rejects_no_sender() {
    let mut app = TestApp::builder().unmigrated().build().await;
    app.sql(&people(300)).await;
    let mut service = with_files(&app);
    app.file("new", MERGE_KEY);
    service.process.signal(Signal::SIGHUP);
    service.process.wait_for("replaced the webhook keys");
    let endpoints = Endpoints::default();
    endpoints.set(0, Some(service.address()));
    let deliveries = (0..900).map(|n| Delivery::about(n % 300, n)).collect();
    let senders = Senders {
        connections: 8,
        minute: Duration::from_millis(40),
        seed: 6,
    };
    let senders = senders.send(&endpoints, deliveries);
    // Every other time one of them is empty, and nothing is taken from either.
    for n in 0..20 {
        let keys = if n % 2 == 0 {
            ["", MERGE_KEY]
        } else {
            [MERGE_KEY, "a newer merge key"]
        };
        app.file("old", keys[0]);
        app.file("new", keys[1]);
        service.process.signal(Signal::SIGHUP);
        sleep(Duration::from_millis(25)).await;
    }
    let found = check(&mut app, &gather(senders).await).await;
    assert_eq!((found.acknowledged, found.sent), (900, 900));
    service.stop();
}
