//! A pooler whose mode is changed while the service runs.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::{DANA, REFUSAL, left};
use crate::support::TestApp;
use crate::support::pgbouncer::PgBouncer;
use crate::support::process::{RunningService, WAIT_LIMIT, wait_until};

/// Waits until `/health` has these words among its reasons; without words, until it has no reason.
fn wait_for_reason(app: &TestApp, service: &RunningService, words: &[&str]) {
    wait_until("health has the reason", || {
        let output = app.run(&["health", "--url", &service.url, "--json"]);
        let reasons = output.json()["reasons"].to_string();
        words.iter().all(|words| reasons.contains(words)) && words.is_empty() == (reasons == "[]")
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_service_reports_a_reload_to_transaction_mode() {
    let pooler = PgBouncer::start("").await;
    let app = TestApp::new().await;
    let url = pooler.url(app.database_name());
    let service = app.serve(&[("DATABASE_URL", &url)]);
    wait_for_reason(&app, &service, &[]);

    pooler.reload("pool_mode = transaction");
    wait_for_reason(&app, &service, &["sessions_shared"]);
    wait_for_reason(&app, &service, &REFUSAL);
    let is_refused = async {
        while service.get("/health/ready").await.0 != 503 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(WAIT_LIMIT, is_refused).await.unwrap();
    service.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_while_the_mode_is_wrong() {
    let mut pooler = PgBouncer::start("").await;
    let mut app = TestApp::new().await;
    app.add_users(&[DANA]).await;
    let url = pooler.url(app.database_name());
    let service = app.serve(&[
        ("DATABASE_URL", &url),
        ("LEAVER__SERVER__STORE_TIMEOUT", "5s"),
    ]);
    let file = app.file("left.json", &left());

    pooler.restart("pool_mode = transaction");
    wait_for_reason(&app, &service, &["sessions_shared"]);
    // A connection to a new session may be accepted. The sender gets 200 after a commit, else 503.
    let first = service.send(&app, "merge", &file);
    let stored = app.count("SELECT count(*) FROM leaver.deliveries").await;
    assert_eq!(stored, i64::from(first.code == Some(0)), "{first:?}");

    pooler.restart("");
    wait_for_reason(&app, &service, &[]);
    service.send(&app, "merge", &file).succeeded();
    app.wait_until_processed().await;
    assert_eq!(app.active().await, [""; 0]);
    let attempts = "SELECT count(*) FROM leaver.deliveries WHERE state = 'failed'";
    assert_eq!(app.count(attempts).await, 0);
    service.stop();
}
