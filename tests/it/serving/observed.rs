//! Log, `/health` and `/metrics` have the documented contents and no personal data.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::{app, leaves_at};
use crate::support::process::RunningService;
use crate::support::{BAMBOOHR_KEY, MERGE_KEY, TestApp, employee, employees};

/// Contents of the bodies that must not appear anywhere else.
const PERSONAL: [&str; 5] = ["dana", "ruiz", "other@", "078-05-1120", "1980-02-29"];

/// A service that has received a leaver, a scheduled leaver, an event without values, an unreadable body, a duplicate
/// and a forgery. Returns the ids of the stored deliveries.
async fn observed(format: &str) -> (TestApp, RunningService, Vec<String>) {
    let mut app = app().await;
    let service = app.serve(&[("LEAVER_LOG", "debug"), ("LEAVER_LOG_FORMAT", format)]);
    let fields = json!({"status": "Inactive", "employmentHistoryStatus": "Terminated", "workEmail": "other@example.com",
                        "firstName": "Dana", "ssn": "078-05-1120", "dateOfBirth": "1980-02-29"});
    let leaver = employees(&[employee(
        "7",
        "2026-01-02T03:04:05+0000",
        &["status"],
        &fields,
    )])
    .to_string();
    let thin = json!({"type": "employee.updated", "timestamp": "2026-01-02T03:04:06+0000",
                      "data": {"companyId": "1", "employeeId": "8", "changedFields": ["status"]}});
    let ahead = "2199-01-01T00:00:00Z".parse().unwrap();
    let mut ids = vec![];
    for (source, name, body) in [
        ("bamboohr", "leaver.json", leaver.clone()),
        ("bamboohr", "again.json", leaver),
        ("merge", "ahead.json", leaves_at(Some(ahead))),
        ("bamboohr", "thin.json", thin.to_string()),
        (
            "bamboohr",
            "nonsense.txt",
            "dana.ruiz@example.com".to_owned(),
        ),
    ] {
        let file = app.file(name, &body);
        let output = service.send(&app, source, &file).succeeded().json();
        if output["body"]["duplicate"] == json!(false) {
            ids.push(output["body"]["delivery"].as_str().unwrap().to_owned());
        }
    }
    let forged = leaver::connect::client::new(Duration::from_secs(10)).unwrap();
    let forged = forged
        .post(format!("{}/webhooks/merge", service.url))
        .header("X-Merge-Webhook-Signature", "AAAA")
        .body(leaves_at(None));
    assert_eq!(forged.send().await.unwrap().status(), 401);
    app.wait_until_processed().await;
    assert_eq!(ids.len(), 4);
    (app, service, ids)
}

#[track_caller]
fn assert_nothing_personal(text: &str) {
    let folded = text.to_lowercase();
    for word in PERSONAL.iter().chain([&BAMBOOHR_KEY, &MERGE_KEY]) {
        assert!(!folded.contains(&word.to_lowercase()), "{word} in {text}");
    }
}

#[tokio::test]
async fn the_json_log_has_one_line_per_settled_delivery() {
    let (_place, service, ids) = observed("json").await;
    let output = service.stop();
    assert_nothing_personal(&output.err);
    let lines: Vec<Value> = output
        .err
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    for line in &lines {
        for key in ["timestamp", "level", "message", "target"] {
            assert!(line[key].is_string(), "no {key} in {line}");
        }
    }
    for id in &ids {
        let settled: Vec<_> = lines
            .iter()
            .filter(|line| {
                line["span"]["name"] == "deliveries.process" && line["span"]["delivery"] == **id
            })
            .collect();
        assert_eq!(settled.len(), 1, "{settled:#?}");
        let ways = ["processed", "failed", "ignored"];
        assert!(
            ways.contains(&settled[0]["message"].as_str().unwrap()),
            "{settled:?}"
        );
        assert!(settled[0]["elapsed_ms"].is_number());
    }
    let refused = lines
        .iter()
        .find(|line| line["reason"] == "malformed_signature");
    assert_eq!(refused.unwrap()["level"], "WARN");
}

#[tokio::test]
async fn the_text_log_has_no_colours_and_no_personal_data() {
    let (_place, service, ids) = observed("text").await;
    let output = service.stop();
    assert_nothing_personal(&output.err);
    assert!(!output.err.contains('\u{1b}'), "{output:?}");
    for id in ids {
        let settled = output
            .err
            .lines()
            .filter(|line| line.contains("deliveries.process") && line.contains(&id));
        assert_eq!(settled.count(), 1);
    }
}

#[tokio::test]
async fn health_has_the_documented_members() {
    let (_place, service, _) = observed("text").await;
    let (status, content_type, text) = service.get("/health").await;
    assert_eq!((status, content_type.as_str()), (200, "application/json"));
    assert_nothing_personal(&text);
    let health: Value = serde_json::from_str(&text).unwrap();
    let keys = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<BTreeSet<String>>()
    };
    for (app, promised) in [
        (
            "",
            &[
                "status",
                "version",
                "database",
                "schema",
                "worker",
                "backlog",
                "schedule",
                "holds",
                "pending_reads",
                "sources",
            ][..],
        ),
        ("/backlog", &["pending", "oldest_seconds", "failed"]),
        ("/schedule", &["pending", "next_at"]),
        ("/sources", &["bamboohr", "merge"]),
        ("/sources/merge", &["last_delivery_at", "last_sync_at"]),
    ] {
        let there = keys(health.pointer(app).unwrap());
        for key in promised {
            assert!(there.contains(*key), "no {key} in {app}: {health}");
        }
    }
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(health["schedule"]["pending"], 1);
    assert_eq!(
        health["backlog"],
        json!({"pending": 0, "oldest_seconds": 0, "failed": 1})
    );
    assert!(health["sources"]["bamboohr"]["last_delivery_at"].is_string());
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(service.get(path).await.0, 200);
    }
}

/// Parses `name{labels} number`.
fn parse_sample(line: &str) -> Option<(&str, f64)> {
    let (name, value) = line.rsplit_once(' ')?;
    let bare = name.split_once('{').map_or(name, |(bare, _)| bare);
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let labels = name.strip_prefix(bare)?;
    let well = labels.is_empty()
        || labels
            .strip_prefix('{')?
            .strip_suffix('}')?
            .split(',')
            .all(|label| {
                label
                    .split_once('=')
                    .is_some_and(|(_, text)| text.starts_with('"') && text.ends_with('"'))
            });
    (well && !bare.is_empty() && bare.chars().all(plain)).then_some((name, value.parse().ok()?))
}

#[tokio::test]
async fn metrics_are_prometheus_text_with_documented_names() {
    let (_place, service, _) = observed("text").await;
    let (status, content_type, text) = service.get("/metrics").await;
    assert_eq!(status, 200);
    assert!(
        content_type.starts_with("text/plain; version=0.0.4"),
        "{content_type}"
    );
    assert!(!text.contains("# EOF"));
    assert_nothing_personal(&text);
    let samples: Vec<(&str, f64)> = text
        .lines()
        .filter(|line| !line.starts_with("# "))
        .map(|line| parse_sample(line).unwrap_or_else(|| panic!("not a sample: {line}")))
        .collect();
    let value = |name: &str| {
        let found = samples.iter().find(|(sample, _)| *sample == name);
        found.unwrap_or_else(|| panic!("no {name} in {text}")).1
    };
    for (name, expected) in [
        (
            r#"leaver_webhook_requests_total{source="bamboohr",outcome="stored"}"#,
            3.0,
        ),
        (
            r#"leaver_webhook_requests_total{source="bamboohr",outcome="duplicate"}"#,
            1.0,
        ),
        (
            r#"leaver_deliveries_settled_total{source="bamboohr",outcome="processed"}"#,
            2.0,
        ),
        (
            r#"leaver_deliveries_settled_total{source="bamboohr",outcome="failed"}"#,
            1.0,
        ),
        (
            r#"leaver_deliveries_settled_total{source="merge",outcome="processed"}"#,
            1.0,
        ),
        (
            r#"leaver_webhook_signature_failures_total{source="merge",reason="malformed_signature"}"#,
            1.0,
        ),
        (r#"leaver_deactivations_total{source="bamboohr"}"#, 1.0),
        ("leaver_inbox_pending", 0.0),
        ("leaver_inbox_failed", 1.0),
        ("leaver_holds_open", 1.0),
        ("leaver_scheduled_access_ends", 1.0),
        ("leaver_delivery_latency_seconds_count", 4.0),
    ] {
        assert!(
            (value(name) - expected).abs() < f64::EPSILON,
            "{name} is {}",
            value(name)
        );
    }
    assert!(value("leaver_batch_duration_seconds_count") >= 1.0);
    assert!(value(r#"leaver_last_delivery_age_seconds{source="merge"}"#) < 30.0);
}

#[tokio::test]
async fn the_task_gauge_follows_the_connections() {
    let app = app().await;
    let service = app.serve(&[]);
    let tasks = async || {
        let (_, _, text) = service.get("/metrics").await;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("leaver_tokio_tasks_alive "));
        line.unwrap().parse::<usize>().unwrap()
    };
    let alone = tasks().await;
    let address = service.url.strip_prefix("http://").unwrap();
    let mut connections = vec![];
    // More than are expected: tasks of the start may end meanwhile.
    for _ in 0..80 {
        connections.push(TcpStream::connect(address).await.unwrap());
    }
    comes_to("50 tasks more", async || tasks().await >= alone + 50).await;
    drop(connections);
    comes_to("those are gone", async || tasks().await < alone + 25).await;
}

async fn comes_to(what: &str, is_so: impl AsyncFn() -> bool) {
    let polled = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let comes = tokio::time::timeout(Duration::from_secs(20), polled).await;
    comes.unwrap_or_else(|_| panic!("never: {what}"));
}
