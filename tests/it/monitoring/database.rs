//! Faults of the database: pending migrations, a server that is read only, stopped or restored.

use std::process::Command;

use serde_json::Value;

use super::server::Prometheus;
use super::{ago, request};
use crate::faults::own_postgres::OwnPostgres;
use crate::support::driving::terminated;
use crate::support::process::{RunningService, wait_until};
use crate::support::{TestApp, employees};

fn copy(from: &std::path::Path, to: &std::path::Path) {
    let copied = Command::new("sh")
        .args(["-c", r#"rm -rf "$1"/* && cp -a "$0"/. "$1""#])
        .args([from, to])
        .status();
    assert!(copied.unwrap().success());
}

#[tokio::test]
async fn pending_migrations_fire_an_alert() {
    let app = TestApp::builder().unmigrated().build().await;
    let env = app.env(&[("LEAVER__DATABASE__MIGRATE", "false")]);
    let service = RunningService::start(&env);
    let prometheus = Prometheus::start(&[&service.admin_url]);
    prometheus.wait_for_alerts(&["LeaverNotStarted"]).await;
    app.run(&["migrate"]).succeeded();
    // Nothing else keeps it from being healthy.
    prometheus
        .wait_for(r#"leaver_health_reason{code="not_started"} == 0"#)
        .await;
    prometheus
        .wait_for(r#"absent(ALERTS{alertstate="firing"})"#)
        .await;
}

/// Sends a signed body as a provider does: again until it is stored.
fn store(app: &TestApp, service: &RunningService, source: &str, body: &Value) {
    let file = app.file("delivery.json", &body.to_string());
    wait_until("the delivery is stored", || {
        service.send(app, source, &file).code == Some(0)
    });
}

#[tokio::test]
async fn faults_of_the_database_fire_their_alerts() {
    let mut own = OwnPostgres::start().await;
    let mut app = own.app(2).await;
    let service = app.serve(&[("LEAVER__SERVER__STORE_TIMEOUT", "50ms")]);
    let prometheus = Prometheus::start(&[&service.admin_url]);
    prometheus.assert_quiet(1).await;

    app.sql("ALTER SYSTEM SET default_transaction_read_only = on")
        .await;
    app.sql("SELECT pg_reload_conf()").await;
    prometheus
        .wait_for_alerts(&["LeaverDeliveriesNotStored"])
        .await;
    let entry = terminated("1", "dana@example.com", &ago(60));
    for _ in 0..12 {
        let file = app.file(
            "d.json",
            &employees(std::slice::from_ref(&entry)).to_string(),
        );
        service.send(&app, "bamboohr", &file);
    }
    prometheus
        .wait_for_alerts(&["LeaverDeliveriesRepeated"])
        .await;
    assert!(
        !prometheus
            .names()
            .await
            .contains("LeaverDatabaseUnreachable")
    );
    app.sql("SET default_transaction_read_only = off").await;
    app.sql("ALTER SYSTEM RESET default_transaction_read_only")
        .await;
    app.sql("SELECT pg_reload_conf()").await;
    prometheus.wait_for("leaver_deliveries_storable == 1").await;
    store(&app, &service, "bamboohr", &employees(&[entry]));
    app.wait_until_processed().await;

    // A backup, another delivery, and back to the backup.
    let backup = crate::support::scratch::folder();
    own.stop().await;
    prometheus
        .wait_for_alerts(&["LeaverDatabaseUnreachable"])
        .await;
    assert!(
        !prometheus
            .names()
            .await
            .contains("LeaverDeliveriesNotStored")
    );
    copy(own.home(), backup.path());
    own.start_again().await;
    own.reconnect(&mut app).await;
    prometheus.wait_for("leaver_deliveries_storable == 1").await;
    let other = terminated("2", "p1@example.com", &ago(30));
    store(&app, &service, "bamboohr", &employees(&[other]));
    app.wait_until_processed().await;
    own.stop().await;
    copy(backup.path(), own.home());
    own.start_again().await;
    prometheus
        .wait_for_alerts(&["LeaverDatabaseRestored"])
        .await;
    assert_eq!(request(&service, "GET", "/health/live", vec![]).await, 200);
    service.stop();
    drop(app);
    own.stop().await;
}
