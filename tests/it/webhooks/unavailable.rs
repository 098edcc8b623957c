//! What cannot be stored now is answered 503 with `Retry-After`.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use leaver::base::liveness::Phase;
use serde_json::json;
use sqlx::postgres::PgConnectOptions;

use crate::support::{Answer, JSON, TestApp, parts};

use super::{BODY, Step, deliveries, post, sender};

fn assert_503(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    let seconds = answer.headers["retry-after"].to_str().unwrap();
    assert!(seconds.parse::<u32>().unwrap() > 0);
}

#[tokio::test]
async fn answers_503_to_an_incomplete_body() {
    let env = [("LEAVER__SERVER__BODY_TIMEOUT", "100ms")];
    let mut app = TestApp::builder().settings(&env).build().await;
    let began = Instant::now();
    let answer = app
        .request(post(
            "bamboohr",
            &[],
            sender([Step::Sends(b"{"), Step::Hangs]),
        ))
        .await;
    assert_503(&answer);
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(deliveries(&mut app).await, 0);
}

#[tokio::test]
async fn answers_503_before_ready_and_while_draining() {
    let mut app = TestApp::new().await;
    for phase in [Phase::Starting, Phase::Draining] {
        app.parts = parts(&app.settings, app.options.clone(), &app.clock);
        app.parts.liveness.enter(phase);
        assert_503(&app.request(app.signed("bamboohr", JSON, BODY)).await);
        assert_503(&app.get("/health/ready").await);
        assert_eq!(app.get("/health/live").await.status, StatusCode::OK);
    }
    assert_eq!(deliveries(&mut app).await, 0);
}

#[tokio::test]
async fn answers_503_in_time_without_a_database() {
    let env = [("LEAVER__SERVER__STORE_TIMEOUT", "300ms")];
    let mut app = TestApp::builder().settings(&env).build().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ports = [silent.local_addr(), closed.local_addr()].map(|address| address.unwrap().port());
    drop(closed);
    for port in ports {
        let nowhere = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(port)
            .username("leaver");
        app.parts = parts(&app.settings, nowhere, &app.clock);
        app.parts.liveness.enter(Phase::Ready);
        let began = Instant::now();
        let answer = app.request(app.signed("bamboohr", JSON, BODY)).await;
        assert_503(&answer);
        assert_eq!(answer.body, json!({"error": "cannot store now"}));
        assert!(began.elapsed() < Duration::from_secs(5));
    }
    assert_eq!(deliveries(&mut app).await, 0);
}

#[tokio::test]
async fn stores_despite_a_broken_database_connection() {
    let mut app = TestApp::new().await;
    for n in 0..3 {
        app.send("bamboohr", JSON, format!("{{\"n\":{n}}}")).await;
        app.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'leaver'",
        )
        .await;
    }
    assert_eq!(deliveries(&mut app).await, 3);
}

#[tokio::test]
async fn never_acknowledges_before_the_commit() {
    let env = [("LEAVER__SERVER__STORE_TIMEOUT", "300ms")];
    let mut app = TestApp::builder().settings(&env).build().await;
    app.sql("BEGIN; LOCK TABLE leaver.deliveries IN EXCLUSIVE MODE")
        .await;
    assert_503(&app.request(app.signed("bamboohr", JSON, BODY)).await);
    app.sql("COMMIT").await;
    // The INSERT of the first request may still commit; either way there is one row.
    app.send("bamboohr", JSON, BODY).await;
    assert_eq!(deliveries(&mut app).await, 1);
}
