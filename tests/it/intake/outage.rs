//! A database that is down, does not respond, or whose response is lost. Senders wait, and recovery needs no operator.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use leaver::base::liveness::Phase;
use serde_json::json;

use super::sending;
use crate::support::proxy::{Mode, Proxy};
use crate::support::{JSON, TestApp, UNSYNCED, parts};

/// An app that reaches its database through a proxy.
async fn proxied(store_timeout: &str) -> (TestApp, Proxy) {
    let env = [("LEAVER__SERVER__STORE_TIMEOUT", store_timeout)];
    let mut app = TestApp::builder().settings(&env).build().await;
    let proxy = Proxy::start().await;
    let options = proxy.to(app.database_name());
    app.parts = parts(&app.settings, options, &app.clock);
    app.parts.liveness.enter(Phase::Ready);
    (app, proxy)
}

#[tokio::test]
async fn senders_wait_through_a_short_outage() {
    let (mut app, proxy) = proxied("8s").await;
    app.send("bamboohr", JSON, "{}").await;
    proxy.set(Mode::Cut);
    let held: Vec<_> = (0..50)
        .map(|n| sending(&app, app.signed("bamboohr", JSON, format!("{{\"n\":{n}}}"))))
        .collect();
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(held.iter().all(|sending| !sending.is_finished()));
    proxy.set(Mode::Pass);
    for sending in held {
        let (status, body) = sending.await.unwrap();
        assert_eq!(
            (status, &body["duplicate"]),
            (StatusCode::OK, &json!(false))
        );
    }
    assert_eq!(
        app.count("SELECT count(*) FROM leaver.deliveries").await,
        51
    );
}

#[tokio::test]
async fn a_response_lost_after_the_commit_makes_no_duplicate() {
    let (mut app, proxy) = proxied("8s").await;
    app.send("bamboohr", JSON, "{}").await;
    for n in 0..3 {
        proxy.set(Mode::LoseAnswer);
        let answer = app.send("bamboohr", JSON, format!("{{\"n\":{n}}}")).await;
        assert_eq!(answer.body["duplicate"], json!(false));
        assert_eq!(proxy.answers_lost(), n + 1);
        let again = app.send("bamboohr", JSON, format!("{{\"n\":{n}}}")).await;
        assert_eq!(again.body["duplicate"], json!(true));
        assert_eq!(again.body["delivery"], answer.body["delivery"]);
    }
    assert_eq!(app.count("SELECT count(*) FROM leaver.deliveries").await, 4);
}

#[tokio::test]
async fn nothing_is_acknowledged_without_synchronous_commit() {
    let env = [("LEAVER__SERVER__STORE_TIMEOUT", "500ms")];
    let mut app = TestApp::builder().settings(&env).build().await;
    app.sql(UNSYNCED).await;
    let answer = app.request(app.signed("bamboohr", JSON, "{}")).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(app.count("SELECT count(*) FROM leaver.deliveries").await, 0);
    app.sql(&UNSYNCED.replace("off", "local")).await;
    app.send("bamboohr", JSON, "{}").await;
}

#[tokio::test]
async fn an_unresponsive_database_gives_503_and_recovers() {
    let (mut app, proxy) = proxied("800ms").await;
    for round in 0..6 {
        app.send("bamboohr", JSON, format!("{{\"before\":{round}}}"))
            .await;
        assert_eq!(
            app.get("/health").await.body["database"],
            "ok",
            "round {round}"
        );
        proxy.set(Mode::BlackHole);
        let began = Instant::now();
        let body = format!("{{\"silent\":{round}}}");
        let answer = app
            .request(app.signed("bamboohr", JSON, body.clone()))
            .await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(
            began.elapsed() < Duration::from_secs(2),
            "{:?}",
            began.elapsed()
        );
        if round < 3 {
            let silent = [app.get("/health"), app.get("/health")];
            for health in futures_all(silent).await {
                assert_eq!(health.body["database"], "unreachable");
            }
        }
        proxy.set(Mode::Pass);
        // The sender retries, as requested.
        let mut tries = 0;
        while app
            .request(app.signed("bamboohr", JSON, body.clone()))
            .await
            .status
            != StatusCode::OK
        {
            tries += 1;
            assert!(tries < 5, "round {round}");
        }
        // No new connection takes the place of one that was given up until the database has answered.
        let passed = Instant::now();
        while app.get("/health").await.body["database"] != "ok" {
            assert!(passed.elapsed() < Duration::from_secs(20), "round {round}");
        }
    }
    assert_eq!(
        app.count("SELECT count(*) FROM leaver.deliveries").await,
        12
    );
}

async fn futures_all<F: Future>(all: [F; 2]) -> [F::Output; 2] {
    let [first, second] = all;
    tokio::join!(first, second).into()
}
