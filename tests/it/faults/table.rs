//! Checks that the tests which the table of docs/RELIABILITY.md names exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Returns whether some file of this module has a function of that name.
pub(crate) fn exists(test: &str) -> bool {
    let (module, name) = test.rsplit_once("::").unwrap();
    // A module `tests` stands in a file of its own, or at the end of the file that it tests.
    let outer = module.strip_suffix("::tests");
    [Some(module), outer]
        .iter()
        .flatten()
        .any(|module| is_in(module, name))
}

/// Returns whether the file of this module has a function of that name.
fn is_in(module: &str, name: &str) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let module = module.replace("::", "/");
    let function = format!("fn {name}(");
    let places = [
        "tests/it",
        "src",
        "crates/leaver-core/src",
        "crates/embedded-postgres/src",
    ];
    places.iter().any(|place| {
        let file = root.join(place).join(&module);
        let files = [file.with_extension("rs"), file.join("mod.rs")];
        let has = |file: &std::path::PathBuf| {
            fs::read_to_string(file).is_ok_and(|text| text.contains(&function))
        };
        files.iter().any(has)
    })
}

#[test]
fn the_documented_table_names_existing_tests() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/RELIABILITY.md");
    let docs = fs::read_to_string(docs).unwrap();
    let mut numbers = vec![];
    let mut shown = BTreeSet::new();
    let mut missing = vec![];
    for line in docs.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [number, _, by] = cells[..] else { continue };
        let Ok(number) = number.parse::<usize>() else {
            continue;
        };
        numbers.push(number);
        for test in by
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|name| name.contains("::") && !name.contains("Mac"))
        {
            shown.insert(number);
            if !exists(test) {
                missing.push(test.to_owned());
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
    assert_eq!(numbers, (1..=90).collect::<Vec<_>>());
    assert!(shown.len() >= 40, "{} of 90", shown.len());
}
