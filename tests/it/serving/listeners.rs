//! The two listeners: which routes each one serves, how they are configured, and how long health and readiness are cached.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Method, Request};
use leaver::api::router;
use leaver::base::liveness::Phase;
use leaver::service::Components;
use tower::ServiceExt;

use super::app;
use crate::support::process::{RunningProcess, WAIT_LIMIT, command};
use crate::support::proxy::{Mode, Proxy};
use crate::support::{JSON, TestApp};

const TOKEN: &str = "hush-0d9c41f7a2be5836";
const EMPLOYEES: &str = "/api/v1/employees";

async fn with_token() -> TestApp {
    TestApp::builder()
        .settings(&[("LEAVER_ADMIN_TOKEN", TOKEN)])
        .build()
        .await
}

#[tokio::test]
async fn each_listener_serves_its_own_routes() {
    let app = with_token().await;
    for (path, public, admin) in [
        ("/health", 200, 200),
        ("/health/live", 200, 200),
        ("/health/ready", 200, 200),
        ("/metrics", 404, 200),
        (EMPLOYEES, 404, 401),
        ("/", 404, 404),
    ] {
        assert_eq!(app.get_public(path).await.status, public, "{path}");
        assert_eq!(app.get(path).await.status, admin, "{path}");
    }
    let admin = leaver::api::admin_router(Arc::clone(&app.parts.state));
    let webhook = app.signed("bamboohr", JSON, "{}");
    assert_eq!(admin.oneshot(webhook).await.unwrap().status(), 404);
}

#[tokio::test]
async fn the_admin_listener_adds_headers_to_each_response() {
    let app = with_token().await;
    for path in ["/health", "/metrics", EMPLOYEES, "/nowhere"] {
        let headers = app.get(path).await.headers;
        assert_eq!(headers["cache-control"], "no-store", "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert!(!headers["x-request-id"].is_empty(), "{path}");
    }
    let request = Request::get("/health/live").header("x-request-id", "a-client's-own");
    let answer = app.request(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.headers["x-request-id"], "a-client's-own");
}

#[tokio::test]
async fn the_webhook_listener_adds_no_headers() {
    let app = with_token().await;
    for method in [Method::POST, Method::GET] {
        let mut request = app.signed("bamboohr", JSON, "{}");
        *request.method_mut() = method;
        let router = router(Arc::clone(&app.parts.state));
        let response = router.oneshot(request).await.unwrap();
        for layered in ["cache-control", "x-content-type-options", "x-request-id"] {
            assert!(!response.headers().contains_key(layered), "{layered}");
        }
    }
}

#[tokio::test]
async fn health_is_cached_and_readiness_for_a_second_at_most() {
    let mut app = TestApp::new().await;
    let proxy = Proxy::start().await;
    app.parts = Components::with_health_cache(
        &app.settings,
        proxy.to(app.database_name()),
        Arc::new(app.clock.clone()),
        Duration::from_hours(1),
    );
    // What is found before the start does not hold after it.
    assert_eq!(app.get("/health").await.body["schema"], "pending");
    app.parts.liveness.enter(Phase::Ready);
    assert_eq!(app.get("/health").await.body["schema"], "current");
    assert_eq!(app.get("/health/ready").await.status, 200);

    app.send("bamboohr", JSON, "{}").await;
    proxy.set(Mode::Cut);
    let health = app.get("/health").await.body;
    assert_eq!(health["database"], "ok");
    assert_eq!(health["backlog"]["pending"], 0);
    wait_for_readiness(&app, 503).await;
    proxy.set(Mode::Pass);
    wait_for_readiness(&app, 200).await;
}

/// Waits until readiness has this status. The last ping counts for a second.
async fn wait_for_readiness(app: &TestApp, status: u16) {
    let began = Instant::now();
    while app.get("/health/ready").await.status != status {
        assert!(began.elapsed() < WAIT_LIMIT, "still not {status}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_unreachable_database_is_cached_too() {
    let mut app = TestApp::new().await;
    let proxy = Proxy::start().await;
    app.parts = Components::with_health_cache(
        &app.settings,
        proxy.to(app.database_name()),
        Arc::new(app.clock.clone()),
        Duration::from_hours(1),
    );
    app.parts.liveness.enter(Phase::Ready);
    proxy.set(Mode::Cut);
    assert_eq!(app.get("/health").await.body["database"], "unreachable");
    proxy.set(Mode::Pass);
    assert_eq!(app.get("/health").await.body["database"], "unreachable");
    assert_eq!(app.get("/health/ready").await.status, 200);
}

#[tokio::test]
async fn refuses_one_address_for_both_listeners() {
    let app = app().await;
    let same = "127.0.0.1:18080";
    let env = [("LEAVER_LISTEN", same), ("LEAVER_ADMIN_LISTEN", same)];
    let output = app.run_with(&["serve"], &env);
    output.failed(&[same, "`server.listen`", "server.admin_listen"]);
}

#[tokio::test]
async fn names_the_key_of_an_admin_address_in_use() {
    let app = app().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = app.run_with(&["serve"], &[("LEAVER_ADMIN_LISTEN", &address)]);
    output.failed(&["cannot listen on", &address, "LEAVER_ADMIN_LISTEN"]);
}

#[tokio::test]
async fn an_empty_address_turns_the_admin_listener_off() {
    let app = app().await;
    let env = app.env(&[("LEAVER_ADMIN_LISTEN", "")]);
    let mut service = RunningProcess::start(command(&["serve"], &env));
    service.wait_for("service.start: ready");
    assert!(!service.err().contains("admin_address"));
}
