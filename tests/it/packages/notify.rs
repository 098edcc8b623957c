//! Messages of the real service to a service manager (`sd_notify`).

use nix::sys::signal::Signal;

use super::manager::{Manager, has};
use crate::support::TestApp;
use crate::support::process::RunningService;
use crate::support::proxy::{Mode, Proxy};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn is_ready_for_systemd_once_deliveries_are_accepted() {
    let app = TestApp::new().await;
    let mut manager = Manager::new();
    let socket = manager.path();
    let service = RunningService::start(&app.env(&[("NOTIFY_SOCKET", &socket)]));
    let ready = manager.wait_for("READY=1");
    assert_eq!(service.get("/health/ready").await.0, 200);
    let status = format!("STATUS=Accepting webhooks on {}", service.address());
    assert!(has(&ready, &status), "{ready}");
    let first = &manager.messages()[0];
    assert!(has(first, "STATUS=Waiting for the database"), "{first}");
    service.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_start_may_last_as_long_as_the_database_is_away() {
    let app = TestApp::builder().unmigrated().build().await;
    let proxy = Proxy::start().await;
    let port = proxy.to(app.database_name()).get_port();
    proxy.set(Mode::Cut);
    let url = format!(
        "postgres://postgres@127.0.0.1:{port}/{}?sslmode=disable",
        app.database_name()
    );
    let mut manager = Manager::new();
    let socket = manager.path();
    let env = app.env(&[("NOTIFY_SOCKET", &socket), ("DATABASE_URL", &url)]);
    let service = RunningService::start(&env);
    let extended = manager.receive_until("second extension with a cause", |messages| {
        let extends = |message: &&String| has(message, "EXTEND_TIMEOUT_USEC=60000000");
        let extended: Vec<_> = messages.iter().filter(extends).cloned().collect();
        (extended.len() >= 2).then_some(extended)
    });
    let is_ready = |message: &String| has(message, "READY=1");
    assert!(!manager.messages().iter().any(is_ready), "{extended:?}");
    let cause = "STATUS=Waiting for the database: not reachable";
    assert!(has(&extended[1], cause), "{extended:?}");

    proxy.set(Mode::Pass);
    manager.wait_for("READY=1");
    service.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_is_reported_with_its_time_and_its_end() {
    let app = TestApp::new().await;
    let mut manager = Manager::new();
    let socket = manager.path();
    let service = RunningService::start(&app.env(&[("NOTIFY_SOCKET", &socket)]));
    manager.wait_for("READY=1");
    service.process.signal(Signal::SIGHUP);
    let reloading = manager.wait_for("RELOADING=1");
    let time = |line: &str| line.strip_prefix("MONOTONIC_USEC=")?.parse::<u64>().ok();
    assert!(
        reloading.lines().any(|line| time(line).is_some()),
        "{reloading}"
    );
    manager.wait_for("READY=1");
    assert!(
        service
            .process
            .err()
            .contains("service.replace_keys: replaced")
    );
    service.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_asks_for_the_time_of_requests_in_flight() {
    let app = TestApp::new().await;
    let mut manager = Manager::new();
    let socket = manager.path();
    let more = [
        ("NOTIFY_SOCKET", socket.as_str()),
        ("LEAVER__SERVER__DRAIN_TIMEOUT", "50s"),
    ];
    let service = RunningService::start(&app.env(&more));
    manager.wait_for("READY=1");
    service.stop();
    let stopping = manager.wait_for("STOPPING=1");
    let asked = stopping
        .lines()
        .find_map(|line| line.strip_prefix("EXTEND_TIMEOUT_USEC="));
    let seconds = asked.unwrap().parse::<u64>().unwrap() / 1_000_000;
    assert!((70..120).contains(&seconds), "{stopping}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_is_gone_does_not_stop_the_service() {
    let app = TestApp::new().await;
    let more = [
        ("NOTIFY_SOCKET", "/nonexistent/notify"),
        ("WATCHDOG_USEC", "120000000"),
    ];
    app.serve(&more).stop();
}
