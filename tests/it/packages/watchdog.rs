//! The watchdog: signs of life of the real service, and their end when a job hangs.

use std::path::Path;

use super::manager::{Manager, has};
use crate::support::TestApp;
use crate::support::process::RunningService;
use crate::support::proxy::{Mode, Proxy};

/// Half of it is the time after which a job counts as hanging.
const WATCHDOG: &str = "4000000";

fn is_ping(message: &str) -> bool {
    has(message, "WATCHDOG=1")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pings_end_while_a_delivery_worker_hangs() {
    let app = TestApp::new().await;
    let mut manager = Manager::new();
    let socket = manager.path();
    let mut service = RunningService::start(&app.env(&[
        ("NOTIFY_SOCKET", &socket),
        ("WATCHDOG_USEC", WATCHDOG),
        ("LEAVER__WORKER__CONCURRENCY", "1"),
        ("FAILPOINTS", "mid_batch=pause"),
    ]));
    manager.wait_for("WATCHDOG=1");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples/five.json");
    service.send(&app, "bamboohr", &file).succeeded();

    let stalled = "STATUS=A job has made no progress for";
    manager.wait_for(stalled);
    let after = manager.messages().len();
    let later = manager.receive_until("three more reports", |messages| {
        let later = &messages[after..];
        (later.len() >= 3).then(|| later.to_vec())
    });
    assert!(later.iter().all(|one| has(one, stalled)), "{later:?}");
    service.process.wait_for("service.watchdog: a job hangs");
    service.process.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pings_go_on_while_the_database_is_away() {
    let app = TestApp::new().await;
    let proxy = Proxy::start().await;
    let port = proxy.to(app.database_name()).get_port();
    let url = format!(
        "postgres://postgres@127.0.0.1:{port}/{}?sslmode=disable",
        app.database_name()
    );
    let mut manager = Manager::new();
    let socket = manager.path();
    let service = RunningService::start(&app.env(&[
        ("NOTIFY_SOCKET", &socket),
        ("WATCHDOG_USEC", WATCHDOG),
        ("DATABASE_URL", &url),
    ]));
    manager.wait_for("WATCHDOG=1");
    proxy.set(Mode::Cut);
    // Longer than the time after which a job counts as hanging.
    let after = manager.messages().len();
    let later = manager.receive_until("four pings", |messages| {
        let later = &messages[after..];
        (later.len() >= 4).then(|| later.to_vec())
    });
    assert!(later.iter().all(|one| is_ping(one)), "{later:?}");
    drop(service);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_watchdog_is_a_warning() {
    let app = TestApp::new().await;
    let mut manager = Manager::new();
    let socket = manager.path();
    let more = [
        ("NOTIFY_SOCKET", socket.as_str()),
        ("WATCHDOG_USEC", "60000000"),
    ];
    let mut service = app.serve(&more);
    manager.wait_for("WATCHDOG=1");
    service.process.wait_for("`WatchdogSec` is short");
    service.stop();
}
