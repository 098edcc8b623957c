//! A pooler whose mode is changed while the service runs.

use super::{DANA, REFUSAL, left};
use crate::support::TestApp;
use crate::support::pgbouncer::PgBouncer;
use crate::support::process::wait_until;

/// Returns the texts of the reasons that `leaver health` prints.
fn reasons(app: &TestApp, url: &str) -> String {
    let output = app.run(&["health", "--url", url, "--json"]);
    output.json()["reasons"].to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_service_reports_a_reload_to_transaction_mode() {
    let pooler = PgBouncer::start("").await;
    let app = TestApp::new().await;
    let url = pooler.url(app.database_name());
    let service = app.serve(&[("DATABASE_URL", &url)]);
    assert_eq!(service.get("/health").await.0, 200);

    pooler.reload("pool_mode = transaction");
    wait_until("health has the reason", || {
        let found = reasons(&app, &service.url);
        found.contains("sessions_shared") && REFUSAL.iter().all(|words| found.contains(words))
    });
    assert_eq!(service.get("/health/ready").await.0, 503);
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
        ("LEAVER__SERVER__STORE_TIMEOUT", "1s"),
    ]);
    let file = app.file("left.json", &left());

    pooler.restart("pool_mode = transaction");
    wait_until("health has the reason", || {
        reasons(&app, &service.url).contains("sessions_shared")
    });
    let refused = service.send(&app, "merge", &file);
    assert!(refused.out.contains("503"), "{refused:?}");

    pooler.restart("");
    wait_until("health is good again", || {
        reasons(&app, &service.url) == "[]"
    });
    service.send(&app, "merge", &file).succeeded();
    app.wait_until_processed().await;
    assert_eq!(app.active().await, [""; 0]);
    service.stop();
}
