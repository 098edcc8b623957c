//! A private Prometheus, and the files of `ops/prometheus`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::process::{RunningProcess, WAIT_LIMIT};
use crate::support::scratch;

/// Returns a program of Debian's package, on PATH or where `.ci/ensure-prometheus` unpacks it.
pub(super) fn program(name: &str) -> PathBuf {
    let unpacked = checkout("target/prometheus/usr/bin").join(name);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join(name));
    std::iter::once(unpacked)
        .chain(on_path)
        .find(|program| program.exists())
        .unwrap_or_else(|| panic!("no {name}; run .ci/ensure-prometheus"))
}

pub(super) fn checkout(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub(super) fn read(path: &str) -> String {
    fs::read_to_string(checkout(path)).unwrap()
}

/// Returns a copy of the rules for tests: each `for` is one second, and so is each limit of a metric in seconds that is
/// compared with a number.
pub(super) fn hurried_rules() -> String {
    let rules = read("ops/prometheus/rules.yml");
    let hurried = rules.lines().map(|line| {
        let indent = &line[..line.len() - line.trim_start().len()];
        if line.trim_start().starts_with("for:") {
            return format!("{indent}for: 1s");
        }
        match line.split_once("_seconds) > ") {
            Some((left, limit)) if limit.parse::<u64>().is_ok() => {
                format!("{left}_seconds) > 1")
            }
            _ => line.to_owned(),
        }
    });
    hurried.collect::<Vec<_>>().join("\n")
}

/// An alert that fires: its name, and the labels that tell it from others of the same name.
pub(super) type Alert = (String, BTreeMap<String, String>);

/// A running Prometheus that scrapes each second.
pub(super) struct Prometheus {
    _process: RunningProcess,
    folder: TempDir,
    url: String,
    client: Client,
}

impl Prometheus {
    /// Starts it for these instances, each `http://host:port`, with the rules for tests.
    pub(super) fn start(targets: &[&str]) -> Self {
        let folder = scratch::folder();
        let path = |name: &str| folder.path().join(name).display().to_string();
        fs::write(path("rules.yml"), hurried_rules()).unwrap();
        set_targets(&folder, targets);
        let config = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 500ms}}\n\
             rule_files: [{rules:?}]\n\
             scrape_configs:\n  - job_name: leaver\n    file_sd_configs: [{{files: [{targets:?}], refresh_interval: 1s}}]\n",
            rules = path("rules.yml"),
            targets = path("targets.json"),
        );
        fs::write(path("prometheus.yml"), config).unwrap();
        let mut command = Command::new(program("prometheus"));
        command
            .arg(format!("--config.file={}", path("prometheus.yml")))
            .arg(format!("--storage.tsdb.path={}", path("data")))
            .args(["--web.listen-address=127.0.0.1:0", "--log.format=json"]);
        let mut process = RunningProcess::start(command);
        process.wait_for(r#""msg":"Listening on""#);
        let log = process.err();
        let line = log.lines().find(|line| line.contains(r#""Listening on""#));
        let line: Value = serde_json::from_str(line.unwrap()).unwrap();
        Self {
            _process: process,
            folder,
            url: format!("http://{}", line["address"].as_str().unwrap()),
            client: leaver::connect::client::new(Duration::from_secs(10)).unwrap(),
        }
    }

    /// Replaces the instances.
    pub(super) fn watch(&self, targets: &[&str]) {
        set_targets(&self.folder, targets);
    }

    async fn api(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let parameters = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(query)
            .finish();
        let url = format!("{}/api/v1/{path}?{parameters}", self.url);
        let began = Instant::now();
        let text = loop {
            let answer = self.client.get(&url).send().await.unwrap();
            // It listens before it answers queries.
            if answer.status() != 503 || began.elapsed() > WAIT_LIMIT {
                break answer.text().await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let value: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
        assert_eq!(value["status"], "success", "{path} {query:?}: {value}");
        value["data"].clone()
    }

    /// Returns the series of an expression.
    pub(super) async fn query(&self, expression: &str) -> Vec<Value> {
        let data = self.api("query", &[("query", expression)]).await;
        data["result"].as_array().cloned().unwrap_or_default()
    }

    /// Returns the alerts that fire.
    pub(super) async fn firing(&self) -> BTreeSet<Alert> {
        let data = self.api("alerts", &[]).await;
        let alerts = data["alerts"].as_array().unwrap().iter();
        let labels = |alert: &Value| -> BTreeMap<String, String> {
            let labels = alert["labels"].as_object().unwrap().iter();
            labels
                .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
                .collect()
        };
        alerts
            .filter(|alert| alert["state"] == "firing")
            .map(|alert| {
                let mut labels = labels(alert);
                let name = labels.remove("alertname").unwrap();
                (name, labels)
            })
            .collect()
    }

    /// Returns the names of the alerts that fire.
    pub(super) async fn names(&self) -> BTreeSet<String> {
        let firing = self.firing().await.into_iter();
        firing.map(|(name, _)| name).collect()
    }

    /// Waits until all of these alerts fire.
    pub(super) async fn wait_for_alerts(&self, names: &[&str]) {
        let mut firing = BTreeSet::new();
        let began = Instant::now();
        while !names.iter().all(|name| firing.contains(*name)) {
            assert!(
                began.elapsed() < 2 * WAIT_LIMIT,
                "of {names:?} only {firing:?} fire"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
            firing = self.names().await;
        }
    }

    /// Waits until an expression has a result.
    pub(super) async fn wait_for(&self, expression: &str) -> Vec<Value> {
        let began = Instant::now();
        loop {
            let found = self.query(expression).await;
            if !found.is_empty() {
                return found;
            }
            assert!(began.elapsed() < WAIT_LIMIT, "nothing for {expression}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until each rule was evaluated with data of this many instances, and expects that no alert fires or is pending.
    pub(super) async fn assert_quiet(&self, instances: usize) {
        self.wait_for(&format!(
            r#"count(sum_over_time(up{{job="leaver"}}[1m]) >= 3) == {instances}"#
        ))
        .await;
        let alerts = self.api("alerts", &[]).await;
        assert_eq!(alerts["alerts"], Value::Array(vec![]));
    }
}

fn set_targets(folder: &TempDir, targets: &[&str]) {
    let hosts: Vec<&str> = targets
        .iter()
        .map(|url| url.trim_start_matches("http://"))
        .collect();
    let list = serde_json::json!([{ "targets": hosts }]).to_string();
    // Prometheus must not read half a file.
    let (new, file) = (
        folder.path().join("new"),
        folder.path().join("targets.json"),
    );
    fs::write(&new, list).unwrap();
    fs::rename(new, file).unwrap();
}
