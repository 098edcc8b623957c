//! The dashboard of `ops/grafana`: its panels stand in reading order, and each query returns data in the demo.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use super::ago;
use super::server::{Prometheus, read};
use crate::support::driving::terminated;
use crate::support::process::{LEAVER, RunningProcess, as_ordinary_user};
use crate::support::{employees, scratch};

const ROWS: [&str; 10] = [
    "Health",
    "Receiving",
    "Deciding",
    "Ending",
    "Backlog",
    "Latency",
    "Sources",
    "Events",
    "Database",
    "Process",
];

fn panels() -> Vec<Value> {
    let dashboard: Value = serde_json::from_str(&read("ops/grafana/leaver.json")).unwrap();
    dashboard["panels"].as_array().unwrap().clone()
}

#[test]
fn panels_stand_in_reading_order_over_one_data_source() {
    let panels = panels();
    let rows: Vec<&str> = panels
        .iter()
        .filter(|panel| panel["type"] == "row")
        .map(|row| row["title"].as_str().unwrap())
        .collect();
    assert_eq!(rows, ROWS);
    let mut ids = BTreeSet::new();
    let mut cells = BTreeSet::new();
    let mut last = (0, -1);
    for panel in &panels {
        assert!(ids.insert(panel["id"].as_i64().unwrap()), "{panel}");
        let size = |name: &str| panel["gridPos"][name].as_i64().unwrap();
        let place = (size("y"), size("x"));
        assert!(place > last, "{panel}");
        last = place;
        for x in size("x")..size("x") + size("w") {
            for y in size("y")..size("y") + size("h") {
                assert!(x < 24 && cells.insert((x, y)), "overlaps: {panel}");
            }
        }
        if panel["type"] != "row" {
            assert_eq!(panel["datasource"]["uid"], "${datasource}");
        }
    }
}

/// Sends a delivery to the demo, with the variables that it printed.
fn deliver(out: &str) {
    let exports: Vec<&str> = out
        .lines()
        .filter(|line| line.trim_start().starts_with("export "))
        .collect();
    let entry = terminated("977", "sam.okoye@example.com", &ago(1));
    let folder = scratch::open_folder();
    let body = folder.path().join("body.json");
    std::fs::write(&body, employees(&[entry]).to_string()).unwrap();
    let script = format!(
        "{}\n{LEAVER} send --source bamboohr {}",
        exports.join("\n"),
        body.display()
    );
    let mut shell = Command::new("sh");
    shell.args(["-e", "-c", &script]).env_clear();
    RunningProcess::start(shell).wait().succeeded();
}

#[tokio::test]
async fn each_query_of_the_dashboard_returns_data_in_the_demo() {
    let folder = scratch::open_folder();
    let state = [("XDG_STATE_HOME", folder.path().to_str().unwrap())];
    let listen = "127.0.0.1:0";
    let args = ["demo", "--listen", listen, "--admin-listen", listen];
    let mut demo = RunningProcess::start(as_ordinary_user(&args, &state));
    demo.wait_for("LEAVER_ADMIN_LISTEN=");
    let out = demo.out();
    let (_, rest) = out.split_once("LEAVER_ADMIN_LISTEN=").unwrap();
    let admin = format!("http://{}", rest.lines().next().unwrap().trim());
    let prometheus = Prometheus::start(&[&admin]);
    prometheus
        .wait_for(r#"count_over_time(up{job="leaver"}[1m]) >= 3"#)
        .await;
    // The story was over before the first scrape, so rates need another leaver.
    deliver(&out);
    prometheus
        .wait_for("sum(increase(leaver_deliveries_settled_total[1m])) > 0")
        .await;
    let mut asked = 0;
    for panel in panels() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().unwrap();
            let query = expression
                .replace("$job", ".+")
                .replace("$__rate_interval", "1m");
            let found = prometheus.query(&query).await;
            let is_number = |series: &Value| series["value"][1].as_str() != Some("NaN");
            assert!(
                found.iter().any(is_number),
                "no data for {}: {query}",
                panel["title"]
            );
            asked += 1;
        }
    }
    assert!(asked > 50, "{asked}");
    demo.signal(nix::sys::signal::Signal::SIGINT);
    demo.wait().succeeded();
}
