//! Deliveries alone are refused, while other rows could be stored; and at rest hardly anything is written.

use std::sync::Arc;
use std::time::Duration;

use leaver::base::liveness::Phase;
use leaver::service::Components;

use super::*;

#[tokio::test]
async fn a_trigger_that_refuses_deliveries_is_red() {
    let mut app = TestApp::new().await;
    for code in ["P0001", "53100"] {
        app.sql(&format!(
            "CREATE OR REPLACE FUNCTION leaver.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$;
             CREATE TRIGGER refuse BEFORE INSERT ON leaver.deliveries
                 FOR EACH ROW EXECUTE FUNCTION leaver.refuse()"
        ))
        .await;
        let name = if code == "P0001" {
            "refused"
        } else {
            "disk full"
        };
        let body = format!("{{\"code\":\"{code}\"}}");
        let sending = app.request(app.signed("bamboohr", JSON, body.clone()));
        let watching = wait_until_not_stored(&app, "not_stored", name);
        let (answer, ()) = tokio::join!(sending, watching);
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        app.sql("DROP TRIGGER refuse ON leaver.deliveries").await;
        app.send("bamboohr", JSON, body).await;
        wait_until_stored(&app).await;
    }
}

#[tokio::test]
async fn a_missing_privilege_on_deliveries_is_red_without_any() {
    let server = Server::start().await;
    let app = server.app(&[]).await;
    wait_until_not_red(&app).await;
    server
        .sql(&["REVOKE INSERT ON leaver.deliveries FROM service"])
        .await;
    wait_until_not_stored(&app, "not_stored", "not allowed").await;
    server
        .sql(&["GRANT INSERT ON leaver.deliveries TO service"])
        .await;
    wait_until_stored(&app).await;
}

#[tokio::test]
async fn a_locked_table_of_deliveries_is_red_without_any() {
    let mut app = TestApp::new().await;
    app.sql("BEGIN; LOCK TABLE leaver.deliveries IN EXCLUSIVE MODE")
        .await;
    wait_until_not_stored(&app, "not_stored", "waiting for a lock").await;
    app.sql("COMMIT").await;
    wait_until_stored(&app).await;
}

#[tokio::test]
async fn a_service_at_rest_writes_one_probe_in_ten_seconds() {
    let mut app = TestApp::new().await;
    app.parts = Components::with_health_cache(
        &app.settings,
        app.options.clone(),
        Arc::new(app.clock.clone()),
        Duration::from_secs(1),
    );
    app.parts.liveness.enter(Phase::Ready);
    app.send("bamboohr", JSON, "{}").await;
    assert_eq!(app.get("/health/ready").await.status, StatusCode::OK);
    let probes = "SELECT count(*) FROM leaver.write_probes";
    assert_eq!(app.count(probes).await, 0, "a delivery was stored just now");

    app.parts = Components::with_health_cache(
        &app.settings,
        app.options.clone(),
        Arc::new(app.clock.clone()),
        Duration::from_secs(1),
    );
    app.parts.liveness.enter(Phase::Ready);
    let began = std::time::Instant::now();
    let mut versions = std::collections::BTreeSet::new();
    while began.elapsed() < Duration::from_secs(2) {
        assert_eq!(app.get("/health/ready").await.status, StatusCode::OK);
        assert_eq!(app.get("/health").await.status, StatusCode::OK);
        versions.insert(app.text("SELECT xmin::text FROM leaver.write_probes").await);
    }
    // A slow machine may have needed ten seconds for one round.
    let allowed = 1 + usize::try_from(began.elapsed().as_secs() / 10).unwrap();
    assert!(versions.len() <= allowed, "{versions:?}");
}

async fn wait_until_not_red(app: &TestApp) {
    assert_eq!(app.get("/health/ready").await.status, StatusCode::OK);
}
