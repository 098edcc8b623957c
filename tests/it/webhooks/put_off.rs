//! What cannot be stored now is put off with a 503, never refused and never lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use leaver::base::liveness::Phase;
use leaver::service::Components;
use serde_json::json;
use sqlx::postgres::PgConnectOptions;

use crate::support::{Answer, JSON, TestApp, USERS};

use super::{BODY, Step, deliveries, post, sender};

fn is_put_off(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    let seconds = answer.headers["retry-after"].to_str().unwrap();
    assert!(seconds.parse::<u32>().unwrap() > 0);
}

#[tokio::test]
async fn a_body_that_does_not_come_to_its_end_is_put_off_in_time() {
    let env = [("LEAVER__SERVER__BODY_TIMEOUT", "100ms")];
    let mut app = TestApp::with(&env, USERS).await;
    let began = Instant::now();
    let answer = app
        .request(post(
            "bamboohr",
            &[],
            sender([Step::Says(b"{"), Step::NeverGoesOn]),
        ))
        .await;
    is_put_off(&answer);
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(deliveries(&mut app).await, 0);
}

#[tokio::test]
async fn before_the_start_and_while_draining_senders_are_put_off() {
    let mut app = TestApp::new().await;
    for phase in [Phase::Starting, Phase::Draining] {
        let clock = Arc::new(app.clock.clone());
        app.parts = Components::new(&app.settings, app.options.clone(), clock);
        app.parts.liveness.enter(phase);
        is_put_off(&app.request(app.signed("bamboohr", JSON, BODY)).await);
        is_put_off(&app.get("/health/ready").await);
        assert_eq!(app.get("/health/live").await.status, StatusCode::OK);
    }
    assert_eq!(deliveries(&mut app).await, 0);
}

#[tokio::test]
async fn a_database_that_is_gone_or_silent_puts_the_sender_off_in_time() {
    let env = [("LEAVER__SERVER__STORE_TIMEOUT", "300ms")];
    let mut app = TestApp::with(&env, USERS).await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ports = [silent.local_addr(), closed.local_addr()].map(|address| address.unwrap().port());
    drop(closed);
    for port in ports {
        let nowhere = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(port)
            .username("leaver");
        app.parts = Components::new(&app.settings, nowhere, Arc::new(app.clock.clone()));
        app.parts.liveness.enter(Phase::Ready);
        let began = Instant::now();
        let answer = app.request(app.signed("bamboohr", JSON, BODY)).await;
        is_put_off(&answer);
        assert_eq!(answer.body, json!({"error": "cannot store now"}));
        assert!(began.elapsed() < Duration::from_secs(5));
    }
    assert_eq!(deliveries(&mut app).await, 0);
}

#[tokio::test]
async fn a_broken_connection_to_the_database_costs_the_sender_nothing() {
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
async fn nobody_is_told_yes_before_the_delivery_is_committed() {
    let env = [("LEAVER__SERVER__STORE_TIMEOUT", "300ms")];
    let mut app = TestApp::with(&env, USERS).await;
    app.sql("BEGIN; LOCK TABLE leaver.deliveries IN EXCLUSIVE MODE")
        .await;
    is_put_off(&app.request(app.signed("bamboohr", JSON, BODY)).await);
    app.sql("COMMIT").await;
    // The writing goes on when the sender is gone; whichever comes first, it is one row.
    app.send("bamboohr", JSON, BODY).await;
    assert_eq!(deliveries(&mut app).await, 1);
}
