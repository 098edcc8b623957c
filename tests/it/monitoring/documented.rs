//! docs/OPERATIONS.md lists all metrics and all reasons of health.

use std::collections::BTreeSet;

use super::server::{Prometheus, read};
use crate::support::TestApp;

/// Returns the names in the first column of the table with this heading.
fn table(heading: &str) -> BTreeSet<String> {
    let docs = read("docs/OPERATIONS.md");
    let (_, rest) = docs
        .split_once(heading)
        .unwrap_or_else(|| panic!("no {heading}"));
    let rows = rest.lines().skip_while(|line| !line.starts_with('|'));
    let rows = rows.take_while(|line| line.starts_with('|')).skip(1);
    rows.map(|row| row.split('`').nth(1).unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn the_table_of_metrics_is_complete() {
    let app = TestApp::new().await;
    let service = app.serve(&[]);
    let text = service.get("/metrics").await.2;
    let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let served: BTreeSet<String> = names
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    let mut listed = table("| metric | type | labels |");
    // Only sources with an API have these, and only destinations of events.
    for name in [
        "leaver_destination_paused",
        "leaver_events_dead",
        "leaver_events_oldest_age_seconds",
        "leaver_events_pending",
        "leaver_events_total",
        "leaver_last_sync_age_seconds",
        "leaver_read_way",
        "leaver_sync_interval_seconds",
    ] {
        assert!(listed.remove(name), "{name}");
    }
    assert_eq!(listed, served);
    service.stop();
}

#[tokio::test]
async fn each_reason_of_health_has_a_series_from_the_start() {
    let app = TestApp::new().await;
    let service = app.serve(&[]);
    let prometheus = Prometheus::start(&[&service.admin_url]);
    let found = prometheus.wait_for("leaver_health_reason").await;
    let served: BTreeSet<String> = found
        .iter()
        .map(|series| series["metric"]["code"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(table("| code | status |"), served);
    // Each code in the program is among them.
    let program =
        read("src/reports/health/reasons.rs") + &read("src/reports/health/destinations.rs");
    let codes = program.split("Reason::new(").skip(1).filter_map(|call| {
        let first = call.trim_start().strip_prefix('"')?;
        Some(first.split('"').next().unwrap().to_owned())
    });
    for code in codes {
        assert!(served.contains(&code), "{code}");
    }
    service.stop();
}
