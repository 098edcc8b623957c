//! Prometheus reads the metrics, its alerts fire, the dashboard has data.

mod apis;
mod dashboard;
mod database;
mod destinations;
mod documented;
mod exposition;
mod late;
mod process;
mod replicas;
mod rules;
mod server;
mod traces;
mod watched;

use chrono::{SecondsFormat, TimeDelta};
use leaver::base::clock::{Clock, SystemClock};
use serde_json::Value;

use crate::support::TestApp;
use crate::support::process::RunningService;

/// Returns the time so many seconds ago.
fn ago(seconds: i64) -> String {
    (SystemClock.now() - TimeDelta::seconds(seconds)).to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Sends a signed body to the running service, which must store it.
fn send(app: &TestApp, service: &RunningService, source: &str, body: &Value) {
    let file = app.file("delivery.json", &body.to_string());
    service.send(app, source, &file).succeeded();
}

/// Sends an unsigned request. Returns the status.
async fn request(service: &RunningService, method: &str, path: &str, body: Vec<u8>) -> u16 {
    let client = leaver::connect::client::new(crate::support::process::WAIT_LIMIT).unwrap();
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let url = if path.starts_with("/api") {
        format!("{}{path}", service.admin_url)
    } else {
        format!("{}{path}", service.url)
    };
    let request = client
        .request(method, url)
        .header("X-Merge-Webhook-Signature", format!("{}=", "A".repeat(43)))
        .body(body);
    request.send().await.unwrap().status().as_u16()
}

/// Returns the samples of `/metrics` without their values.
async fn series(service: &RunningService) -> std::collections::BTreeSet<String> {
    let text = service.get("/metrics").await.2;
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| line.rsplit_once(' ').unwrap().0.to_owned())
        .collect()
}
