//! Runs the checks of the fuzz targets on every input in the tree and on inputs made from the test vectors.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

#[path = "../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "it is a crate of its own, too")]
mod checks;

/// A target, its check and how many inputs there are at least.
type Target = (&'static str, fn(&[u8]), usize);

const TARGETS: [Target; 7] = [
    ("signature", checks::signature::check, 100),
    ("dates", checks::dates::check, 30),
    ("bamboohr", checks::bamboohr::check, 15),
    ("form", checks::form::check, 8),
    ("merge", checks::merge::check, 40),
    ("answers", checks::answers::check, 8),
    ("config", checks::config::check, 8),
];

fn folder(kind: &str, target: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("fuzz").join(kind).join(target)
}

fn inputs(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return vec![];
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn every_input_in_the_tree_passes_its_fuzz_target() {
    for (target, check, least) in TARGETS {
        let mut paths = inputs(&folder("seeds", target));
        assert!(paths.len() >= least, "{target}: {} seeds", paths.len());
        paths.extend(inputs(&folder("regressions", target)));
        for path in paths {
            let input = fs::read(&path).unwrap();
            let outcome = std::panic::catch_unwind(|| check(&input));
            assert!(outcome.is_ok(), "{} fails; see above", path.display());
        }
    }
}

#[test]
fn each_fuzz_target_is_run_and_has_its_check() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("fuzz/Cargo.toml")).unwrap();
    let makefile = fs::read_to_string(root.join("Makefile")).unwrap();
    let sources = inputs(&root.join("fuzz/fuzz_targets"));
    let named: BTreeSet<_> = sources
        .iter()
        .map(|path| path.file_stem().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(named, TARGETS.map(|(target, ..)| target).into());
    let list = makefile.lines().find(|line| line.starts_with("FUZZ ="));
    for target in named {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{target}.rs\"")));
        let mut words = list.unwrap().split_whitespace();
        assert!(words.any(|word| word == target), "{target} in the Makefile");
    }
}

#[test]
fn the_seeds_follow_the_test_vectors() {
    let mut renewed = vec![];
    for (target, name, input) in seeds() {
        let path = folder("seeds", target).join(name);
        if fs::read(&path).ok() != Some(input.clone()) {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, input).unwrap();
            renewed.push(path);
        }
    }
    assert!(renewed.is_empty(), "written anew, commit: {renewed:#?}");
}

/// Target, name and input of everything that the vectors make.
fn seeds() -> Vec<(&'static str, String, Vec<u8>)> {
    let mut seeds = vec![];
    let mut bodies = BTreeSet::new();
    for vector in vectors(include_str!("../vectors/bamboohr.json")) {
        let (name, body) = (text(&vector, "name"), text(&vector, "body"));
        let mut head = format!(
            "provider: bamboohr\nnow: {}\ntolerance: {}\n",
            vector["now"], vector["tolerance_seconds"]
        );
        let keys = vector["configured_secrets"].as_array();
        for key in keys.unwrap_or(&vec![vector["secret"].clone()]) {
            writeln!(head, "key: {}", key.as_str().unwrap()).unwrap();
        }
        for (name, value) in vector["headers"].as_object().unwrap() {
            writeln!(head, "{name}: {}", value.as_str().unwrap()).unwrap();
        }
        seeds.push((
            "signature",
            format!("bamboohr_{name}"),
            format!("{head}\n{body}"),
        ));
        if bodies.insert(body.to_owned()) {
            let is_form = text(&vector, "content_type").contains("form");
            let target = if is_form { "form" } else { "bamboohr" };
            seeds.push((target, name.to_owned(), body.to_owned()));
        }
    }
    for vector in vectors(include_str!("../vectors/merge.json")) {
        let (name, body) = (text(&vector, "name"), text(&vector, "body"));
        let mut head = "provider: merge\n".to_owned();
        let keys = vector["accepted_secrets"].as_array();
        for key in keys.unwrap_or(&vec![vector["secret"].clone()]) {
            writeln!(head, "key: {}", key.as_str().unwrap()).unwrap();
        }
        if let Some(signature) = vector["signature"].as_str() {
            writeln!(head, "{}: {signature}", text(&vector, "header_name")).unwrap();
        }
        seeds.push((
            "signature",
            format!("merge_{name}"),
            format!("{head}\n{body}"),
        ));
        if bodies.insert(body.to_owned()) {
            seeds.push(("merge", name.to_owned(), body.to_owned()));
        }
    }
    for (position, date) in DATES.into_iter().enumerate() {
        seeds.push(("dates", format!("{position:02}"), date.to_owned()));
        let signed = format!(
            "provider: bamboohr\nlayout: timestamp.body\nnow: 1795348800\nkey: k\nkey: other\nsign: 1\n\
             X-BambooHR-Timestamp: {date}\n\n{{}}"
        );
        seeds.push(("signature", format!("signed_{position:02}"), signed));
    }
    seeds
        .into_iter()
        .map(|(target, name, input)| (target, name, input.into_bytes()))
        .collect()
}

fn vectors(text: &str) -> Vec<Value> {
    let mut file: Value = serde_json::from_str(text).unwrap();
    serde_json::from_value(file["vectors"].take()).unwrap()
}

fn text<'v>(vector: &'v Value, member: &str) -> &'v str {
    vector[member].as_str().unwrap()
}

/// Dates as providers write them, and as nobody should.
const DATES: [&str; 32] = [
    "1795348796",
    "-1",
    "+1795348796",
    "9223372036854775807",
    "-9223372036854775808",
    "99999999999999999999",
    "1795348796.5",
    "2026-11-21",
    "2026-02-29",
    "2028-02-29",
    "0000-00-00",
    "0000-01-01",
    "9999-12-31",
    "10000-01-01",
    "2026-1-5",
    " 2026-11-21 ",
    "21/11/2026",
    "20261121",
    "2026-11-22T11:59:55+0000",
    "2026-11-22T11:59:55Z",
    "2026-11-22T11:59:55+00:00",
    "2026-11-22T11:59:55-08:00",
    "2026-11-22T11:59:55",
    "2026-11-22 11:59:55",
    "2026-05-31T00:00:00Z",
    "2026-05-31T00:00:00.000000Z",
    "2026-05-31T23:59:59.999999999Z",
    "2016-12-31T23:59:60Z",
    "9999-12-31T23:59:59-23:59",
    "0000-01-01T00:00:00+23:59",
    "2026-11-22t11:59:55z",
    "",
];
