//! `server.drain_delay`: not ready at once, and still serving.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::io::AsyncWriteExt;

use super::load::{Answer, ask, read_answer};
use crate::faults::ledger::{Delivery, people};
use crate::support::TestApp;
use crate::support::process::{RunningService, command, wait_until};

const LIVE: &[u8] = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n";

async fn app() -> TestApp {
    let mut app = TestApp::builder().build().await;
    app.sql(&people(20)).await;
    app
}

/// Starts a service that would serve for ten minutes after a signal, and sends SIGTERM.
fn leaving(app: &TestApp) -> RunningService {
    let mut service = app.serve(&[("LEAVER__SERVER__DRAIN_DELAY", "10m")]);
    leave(&mut service);
    service
}

fn leave(service: &mut RunningService) {
    service.process.signal(Signal::SIGTERM);
    service.process.wait_for("service.stop: not ready");
}

/// Returns status and reasons of `/health`, with its HTTP status.
async fn health(service: &RunningService) -> (u16, String, Vec<String>) {
    let (http, _, text) = service.get("/health").await;
    let health: Value = serde_json::from_str(&text).unwrap();
    let codes = health["reasons"].as_array().unwrap().iter();
    let codes = codes.map(|reason| reason["code"].as_str().unwrap().to_owned());
    let status = health["status"].as_str().unwrap();
    (http, status.to_owned(), codes.collect())
}

/// Sends this delivery on a connection of its own.
async fn deliver(service: &RunningService, n: usize) -> Answer {
    let request = Delivery::about(n, n).request();
    ask(None, service.address(), &request).await.unwrap().0
}

#[tokio::test]
async fn a_leaving_service_is_not_ready_and_stores_deliveries() {
    let mut app = app().await;
    let service = leaving(&app);
    assert_eq!(service.get("/health/ready").await.0, 503);
    let public = b"GET /health/ready HTTP/1.1\r\nHost: a\r\n\r\n";
    let public = ask(None, service.address(), public).await.unwrap().0;
    assert_eq!(public.status, "503");
    assert_eq!(service.get("/health/live").await.0, 200);
    let (http, status, codes) = health(&service).await;
    assert_eq!((http, status.as_str()), (200, "degraded"));
    assert!(codes.contains(&"draining".to_owned()), "{codes:?}");
    for n in 0..10 {
        let answer = deliver(&service, n).await;
        assert_eq!(answer.status, "200", "{}", answer.text);
    }
    let stored = app.lines("SELECT count(*)::text FROM leaver.deliveries");
    assert_eq!(stored.await, ["10"]);
    // Its workers still run: somebody of the list has left.
    wait_until("the deliveries are processed", || {
        let left = app.run(&["deliveries", "--state", "pending", "--json"]);
        left.succeeded()
            .out
            .lines()
            .all(|line| line == "[]" || line.is_empty())
    });
    let output = service.stop();
    assert!(output.err.contains("the wait ended early"), "{output:?}");
}

#[tokio::test]
async fn a_second_signal_ends_the_delay() {
    let app = app().await;
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut service = app.serve(&[("LEAVER__SERVER__DRAIN_DELAY", "10m")]);
        service.process.signal(signal);
        service.process.wait_for("service.stop: not ready");
        let began = Instant::now();
        service.process.signal(signal);
        let output = service.process.wait().succeeded();
        assert!(began.elapsed() < Duration::from_secs(30), "{output:?}");
        // In order, and not at once.
        assert!(output.err.contains("service.stop: stopped\n"), "{output:?}");
    }
}

#[tokio::test]
async fn the_delay_ends_by_itself() {
    let app = app().await;
    let service = app.serve(&[("LEAVER__SERVER__DRAIN_DELAY", "700ms")]);
    let began = Instant::now();
    let output = service.stop();
    assert!(began.elapsed() >= Duration::from_millis(700), "{output:?}");
    assert!(!output.err.contains("ended early"), "{output:?}");
}

#[tokio::test]
async fn a_kept_alive_connection_ends_after_its_next_answer() {
    let app = app().await;
    let mut service = app.serve(&[("LEAVER__SERVER__DRAIN_DELAY", "10m")]);
    let (before, kept) = ask(None, service.address(), LIVE).await.unwrap();
    assert!(!before.closes, "{before:?}");
    leave(&mut service);
    let request = Delivery::about(1, 1).request();
    let (answer, mut kept) = ask(Some(kept), "", &request).await.unwrap();
    assert_eq!((answer.status.as_str(), answer.closes), ("200", true));
    let ended = read_answer(&mut kept).await.unwrap_err();
    assert!(ended.contains("closed after \"\""), "{ended}");
    service.stop();
}

#[tokio::test]
async fn the_admin_listener_answers_until_the_end() {
    let app = app().await;
    let mut service = leaving(&app);
    // A request in flight when the listener closes: its headers and half of its body are sent.
    let request = Delivery::about(1, 1).request();
    let (sent, rest) = request.split_at(request.len() - 1);
    let mut sender = tokio::net::TcpStream::connect(service.address())
        .await
        .unwrap();
    sender.write_all(sent).await.unwrap();
    // This connection was accepted later, so the other one is served by now.
    assert_eq!(deliver(&service, 2).await.status, "200");
    service.process.signal(Signal::SIGTERM);
    service.process.wait_for("service.stop: draining");
    let address = service.address().to_owned();
    wait_until("the listener is closed", || {
        TcpStream::connect(&address).is_err()
    });
    assert_eq!(service.get("/health/ready").await.0, 503);
    assert_eq!(service.get("/metrics").await.0, 200);
    let (http, status, codes) = health(&service).await;
    assert_eq!((http, status.as_str()), (503, "unavailable"));
    assert!(codes.contains(&"draining".to_owned()), "{codes:?}");
    sender.write_all(rest).await.unwrap();
    let answer = read_answer(&mut sender).await.unwrap();
    assert_eq!((answer.status.as_str(), answer.closes), ("200", true));
    service.process.wait().succeeded();
}

#[tokio::test]
async fn a_service_that_was_never_ready_does_not_wait() {
    let app = app().await;
    let env = app.env(&[
        ("DATABASE_URL", "postgres://app@127.0.0.1:1/app"),
        ("LEAVER__SERVER__DRAIN_DELAY", "10m"),
    ]);
    let mut service = RunningService::start_command(command(&["serve"], &env));
    service.process.wait_for("cannot reach the database");
    let output = service.stop();
    assert!(
        !output.err.contains("service.stop: not ready"),
        "{output:?}"
    );
}
