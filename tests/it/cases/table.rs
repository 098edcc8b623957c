//! Checks that the tests which docs/CORRECTNESS.md names exist.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::{field, siblings};

/// Folders with tests.
const PLACES: [&str; 3] = ["tests/it", "src", "crates"];

/// Returns the text of all Rust files below a folder.
fn code(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            code(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn the_table_of_rules_names_existing_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = fs::read_to_string(root.join("docs/CORRECTNESS.md")).unwrap();
    let (rules, table) = docs.split_once("## Tests").unwrap();
    let mut functions = String::new();
    for place in PLACES {
        code(&root.join(place), &mut functions);
    }
    let files = [field::listed(), siblings::listed()].concat();
    let mut shown: BTreeMap<usize, usize> = BTreeMap::new();
    let mut missing = vec![];
    for line in table.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [number, by] = cells[..] else { continue };
        let Ok(number) = number.parse::<usize>() else {
            continue;
        };
        for test in by.split('`').skip(1).step_by(2) {
            let name = test.rsplit("::").next().unwrap();
            let exists = if test.starts_with("cases::") {
                let tail = format!("-{}", name.replace('_', "-"));
                files.iter().any(|file| file.ends_with(&tail))
            } else {
                functions.contains(&format!("fn {name}("))
            };
            if !exists {
                missing.push(test.to_owned());
            }
            *shown.entry(number).or_default() += 1;
        }
    }
    assert_eq!(missing, Vec::<String>::new());
    let numbered = |number: &usize| rules.contains(&format!("| {number} |"));
    assert!((1..=29).all(|number| numbered(&number)));
    let numbers: Vec<usize> = shown.into_keys().collect();
    assert_eq!(numbers, (1..=29).collect::<Vec<_>>());
}
