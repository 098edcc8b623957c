//! No later change of the code can forget an event: each table whose rows are events is written in one place, whose functions
//! return the events, and the compiler warns if they are dropped.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Returns the files of `src` that contain one of these texts, white space aside.
fn files_with(texts: &[&str]) -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![];
    sources(&root, &mut files);
    let has = |path: &PathBuf| {
        let code = fs::read_to_string(path).unwrap();
        let words: Vec<&str> = code.split_whitespace().collect();
        let code = words.join(" ");
        texts.iter().any(|text| code.contains(text))
    };
    let shown = |path: &PathBuf| path.strip_prefix(&root).unwrap().display().to_string();
    files.iter().filter(|path| has(path)).map(shown).collect()
}

#[test]
fn tables_of_changes_are_written_in_one_place_each() {
    let of = |table: &str| {
        let statements = ["INSERT INTO", "UPDATE", "DELETE FROM"];
        let texts = statements.map(|statement| format!("{statement} leaver.{table}"));
        files_with(&texts.each_ref().map(String::as_str))
    };
    let files = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let expected: [(&str, BTreeSet<String>); 3] = [
        (
            "changes",
            files(&["engine/batches/store.rs", "engine/undo/store.rs"]),
        ),
        (
            "holds",
            files(&["engine/holds/store.rs", "engine/safeguard/trips/store.rs"]),
        ),
        (
            "trips",
            files(&[
                "engine/safeguard/store.rs",
                "engine/safeguard/trips/store.rs",
            ]),
        ),
    ];
    for (table, expected) in expected {
        assert_eq!(of(table), expected, "{table}");
    }
}

#[test]
fn whoever_writes_the_audit_log_records_events() {
    let audited = files_with(&["audit::store::record(", " store::record(conn, &entries"]);
    let recording = files_with(&["outbox::record(", "Events"]);
    let without: Vec<&String> = audited.difference(&recording).collect();
    // Reads, grants and modes change no account and no hold.
    assert_eq!(
        without,
        [
            "engine/audit/reads.rs",
            "engine/safeguard/grants/mod.rs",
            "engine/shadow/change_mode.rs"
        ]
    );
}
