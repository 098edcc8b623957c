//! Health and readiness while deliveries cannot be stored, the texts of these errors, and a password that changes.

mod alive;
mod causes;
mod password;
mod refused;
mod server;
mod standby;
mod texts;

use axum::http::StatusCode;
use serde_json::Value;

use self::server::Server;
use crate::support::process::WAIT_LIMIT;
use crate::support::{JSON, TestApp};

/// Waits until health names a cause, and asserts that readiness is red and the status 503.
async fn wait_until_not_stored(app: &TestApp, code: &str, cause: &str) {
    let began = std::time::Instant::now();
    loop {
        let health = app.get("/health").await;
        let reasons = health.body["reasons"].as_array().unwrap();
        let found = reasons.iter().find(|reason| reason["code"] == code);
        if let Some(reason) = found
            && reason["text"].as_str().unwrap().contains(cause)
        {
            assert_eq!(health.status, StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(health.body["status"], "unavailable");
            assert_eq!(health.body["storing"], cause);
            assert_eq!(reason["command"], "leaver check");
            break;
        }
        assert!(began.elapsed() < WAIT_LIMIT, "{cause}: {:?}", health.body);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let ready = app.get("/health/ready").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE, "{cause}");
    let metrics = app.get("/metrics").await.body;
    assert!(has_line(&metrics, "leaver_deliveries_storable 0"));
}

/// Waits until readiness and health are green, and asserts that a delivery is stored.
async fn wait_until_stored(app: &TestApp) {
    let began = std::time::Instant::now();
    while app.get("/health/ready").await.status != StatusCode::OK {
        let health = app.get("/health").await;
        assert!(began.elapsed() < WAIT_LIMIT, "{:?}", health.body);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let health = app.get("/health").await;
    assert_eq!(health.status, StatusCode::OK, "{:?}", health.body);
    assert_eq!(health.body["storing"], "ok");
    let metrics = app.get("/metrics").await.body;
    assert!(has_line(&metrics, "leaver_deliveries_storable 1"));
    let body = format!("{{\"at\":\"{:?}\"}}", std::time::Instant::now());
    app.send("bamboohr", JSON, body).await;
}

fn has_line(metrics: &Value, line: &str) -> bool {
    metrics.as_str().unwrap().lines().any(|found| found == line)
}

/// Asserts that a delivery is answered 503.
async fn assert_refused(app: &TestApp, body: &str) {
    let answer = app.request(app.signed("bamboohr", JSON, body)).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
}
