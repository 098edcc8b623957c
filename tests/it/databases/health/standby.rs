//! A standby by mistake, and a standby that commits wait for and that is not there.

use super::*;
use crate::support::process::{RunningService, run};

#[tokio::test]
async fn a_hot_standby_is_red_until_it_is_promoted() {
    let mut server = Server::start().await;
    let app = server.app(&[("LEAVER__SERVER__STORE_TIMEOUT", "6s")]).await;
    wait_until_stored(&app).await;
    server.stop();
    server.become_standby();
    // Without hot standby it refuses every connection, as a server does while it starts.
    server.run(&["hot_standby=off"]);
    wait_until_not_stored(&app, "not_stored", "starting up or shutting down").await;
    server.stop();
    server.run(&[]);
    assert_refused(&app, "{\"to\":\"a standby\"}").await;
    wait_until_not_stored(&app, "not_stored", "in recovery").await;

    let mut service = RunningService::start(&app.env(&[]));
    service
        .process
        .wait_for("the server is a standby (in recovery)");
    run(&["health", "--url", &service.admin_url], &[]).findings(&["not_stored", "in recovery"]);
    assert!(!service.process.err().contains("cannot reach the database"));
    assert_eq!(service.get("/health/ready").await.0, 503);

    server.sql_on_standby("SELECT pg_promote()").await;
    service.wait_until_ready();
    wait_until_stored(&app).await;
    assert_eq!(service.get("/health/ready").await.0, 200);
    service.stop();
}

#[tokio::test]
async fn a_missing_synchronous_standby_is_red_until_it_is_not_needed() {
    let server = Server::start().await;
    let mut app = server.app(&[("LEAVER__SERVER__STORE_TIMEOUT", "6s")]).await;
    wait_until_stored(&app).await;
    server
        .sql(&[
            "ALTER SYSTEM SET synchronous_standby_names = 'absent'",
            "SELECT pg_reload_conf()",
        ])
        .await;
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    let probes = format!("{waiting} AND query LIKE '%write_probes%'");
    wait_until_not_stored(&app, "not_stored", "waiting for a synchronous standby").await;
    assert_refused(&app, "{\"to\":\"nobody\"}").await;
    for _ in 0..5 {
        wait_until_not_stored(&app, "not_stored", "waiting for a synchronous standby").await;
    }
    assert_eq!(app.count(&probes).await, 1, "one probe waits at a time");
    server
        .sql(&[
            "ALTER SYSTEM RESET synchronous_standby_names",
            "SELECT pg_reload_conf()",
        ])
        .await;
    wait_until_stored(&app).await;
    app.wait_for_count(0, waiting).await;
}
