//! The parts of `charts/leaver` that repeat other files. `.ci/chart` renders the chart and checks the objects.

use std::fs;
use std::path::{Path, PathBuf};

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the value of the first line with this key.
fn value(text: &str, key: &str) -> String {
    let lines = text.lines().map(str::trim);
    let value = lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
    let value = value.map(|value| value.trim_matches('"').to_owned()).next();
    value.unwrap_or_else(|| panic!("no {key}"))
}

#[test]
fn the_chart_has_the_version_of_the_program() {
    let chart = read("charts/leaver/Chart.yaml");
    assert_eq!(value(&chart, "appVersion"), env!("CARGO_PKG_VERSION"));
    assert_eq!(value(&chart, "version"), env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_chart_has_the_alerts_of_ops() {
    let original = "ops/prometheus/rules.yml";
    if file(original).exists() {
        let is_equal = read(original) == read("charts/leaver/files/rules.yml");
        assert!(is_equal, "run: cp {original} charts/leaver/files/rules.yml");
    }
}

#[test]
fn the_image_and_the_chart_wait_equally_long() {
    let values = read("charts/leaver/values.yaml");
    let delay = value(&values, "delaySeconds");
    let image = format!("LEAVER__SERVER__DRAIN_DELAY={delay}s");
    assert!(read("Dockerfile").contains(&image), "{image}");
    let timeout = format!("drain_timeout = \"{}s\"", value(&values, "timeoutSeconds"));
    assert!(read("config/default.toml").contains(&timeout), "{timeout}");
}
