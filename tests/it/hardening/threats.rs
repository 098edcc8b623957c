//! The threat model names tests that exist.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::faults::table::exists;

/// A row of the table in docs/THREATS.md.
struct Row {
    actor: String,
    reach: String,
    stopped_by: String,
    /// The paths of tests in the last cell, and what else stands there.
    tests: Vec<String>,
    shown: String,
}

fn threats() -> String {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/THREATS.md");
    fs::read_to_string(docs).unwrap()
}

/// Returns the text from a heading to the next one of the same level.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("\n## {heading}\n")).unwrap();
    rest.split("\n## ").next().unwrap()
}

/// Returns the cells of each row of a table, without its head.
fn cells(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let rows = text.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
}

fn rows(text: &str) -> Vec<Row> {
    let row = |cells: Vec<&str>| {
        let [actor, reach, stopped_by, shown] = cells[..] else {
            panic!("a row needs four cells: {cells:?}")
        };
        let names = shown.split('`').skip(1).step_by(2);
        Row {
            actor: actor.to_owned(),
            reach: reach.to_owned(),
            stopped_by: stopped_by.to_owned(),
            tests: names
                .filter(|name| name.contains("::"))
                .map(str::to_owned)
                .collect(),
            shown: shown.to_owned(),
        }
    };
    cells(section(text, "Threats")).map(row).collect()
}

#[test]
fn the_threat_model_names_existing_tests() {
    let text = threats();
    let mut missing = vec![];
    for row in rows(&text) {
        for test in row.tests {
            if !exists(&test) {
                missing.push(test);
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn each_threat_has_a_test_or_a_reason() {
    for row in rows(&threats()) {
        let Row { actor, reach, .. } = &row;
        assert!(!reach.is_empty() && !row.stopped_by.is_empty(), "{actor}");
        assert!(
            !row.tests.is_empty() || row.shown.starts_with("no test: "),
            "{actor}: {reach}: a row names its tests, or begins with `no test: ` and the reason"
        );
    }
}

#[test]
fn each_actor_has_a_test() {
    let text = threats();
    let actors: Vec<String> = cells(section(&text, "Actors"))
        .map(|cells| cells[0].to_owned())
        .collect();
    assert!(actors.len() >= 14, "{actors:?}");
    let mut tests: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows(&text) {
        *tests.entry(row.actor).or_default() += row.tests.len();
    }
    for actor in &actors {
        assert!(tests.get(actor).is_some_and(|count| *count > 0), "{actor}");
    }
    let unknown: Vec<&String> = tests.keys().filter(|name| !actors.contains(name)).collect();
    assert!(unknown.is_empty(), "not in the list of actors: {unknown:?}");
}
