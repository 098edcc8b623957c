//! The watchdog: signs of life of the real service, and their end when a job hangs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::{ConnectOptions, raw_sql};

use super::manager::{Manager, has};
use crate::support::TestApp;
use crate::support::process::RunningService;
use crate::support::proxy::{Mode, Proxy};

/// Half of it is the time after which a job counts as hanging.
const WATCHDOG: Duration = Duration::from_secs(4);

/// The value of `WATCHDOG_USEC`.
fn micros() -> String {
    WATCHDOG.as_micros().to_string()
}

/// A delivery of five people, one of them `dana.ruiz@example.com`.
fn five() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples/five.json")
}

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
        ("WATCHDOG_USEC", &micros()),
        ("LEAVER__WORKER__CONCURRENCY", "1"),
        ("FAILPOINTS", "mid_batch=pause"),
    ]));
    manager.wait_for("WATCHDOG=1");
    service.send(&app, "bamboohr", &five()).succeeded();

    // As systemd decides: no sign of life for the time of the watchdog. A thread that blocks may stop the reports too.
    manager.wait_for_silence("WATCHDOG=1", WATCHDOG);
    service.process.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_status_names_a_job_that_makes_no_progress() {
    let mut app = TestApp::new().await;
    app.add_users(&["dana.ruiz@example.com"]).await;
    // The first wait for the row takes 5 s, which is longer than half the watchdog.
    let mut other = app.options.connect().await.unwrap();
    let lock = raw_sql("BEGIN; SELECT id FROM users FOR UPDATE");
    lock.execute(&mut other).await.unwrap();
    let mut manager = Manager::new();
    let socket = manager.path();
    let mut service = RunningService::start(&app.env(&[
        ("NOTIFY_SOCKET", &socket),
        ("WATCHDOG_USEC", &micros()),
        ("LEAVER__WORKER__CONCURRENCY", "1"),
    ]));
    manager.wait_for("WATCHDOG=1");
    service.send(&app, "bamboohr", &five()).succeeded();
    manager.wait_for("STATUS=A job has made no progress for");
    service.process.wait_for("service.watchdog: a job hangs");
    manager.wait_for("WATCHDOG=1");
    manager.wait_for("STATUS=Accepting webhooks");
    raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    service.stop();
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
        ("WATCHDOG_USEC", "8000000"),
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
