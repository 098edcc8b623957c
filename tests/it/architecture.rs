//! The house rules that a single crate cannot have the compiler hold: who may import whom, where SQL stands,
//! what is pure, how long a file gets. `docs/ARCHITECTURE.md` has the same table.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Room, and the rooms of ours that it may import.
const MAY_IMPORT: [(&str, &[&str]); 32] = [
    ("domain", &[]),
    ("clock", &[]),
    ("vitals", &[]),
    ("client", &[]),
    ("schema", &[]),
    ("pool", &[]),
    ("turns", &["pool"]),
    ("embedded", &[]),
    ("failpoints", &[]),
    ("metrics", &["domain"]),
    ("signature", &["domain"]),
    ("payload", &["domain"]),
    ("decision", &["domain"]),
    ("inbox", &["domain", "signature"]),
    (
        "intake",
        &[
            "domain",
            "failpoints",
            "inbox",
            "metrics",
            "signature",
            "vitals",
        ],
    ),
    ("roster", &["domain"]),
    ("accounts", &["domain", "decision"]),
    ("audit", &["domain"]),
    ("holds", &["domain", "decision"]),
    ("hooks", &["domain"]),
    (
        "health",
        &[
            "domain", "inbox", "roster", "holds", "hooks", "drift", "silence", "metrics", "vitals",
        ],
    ),
    (
        "http",
        &[
            "domain",
            "clock",
            "failpoints",
            "signature",
            "inbox",
            "intake",
            "roster",
            "health",
            "silence",
            "pool",
            "metrics",
            "vitals",
        ],
    ),
    (
        "worker",
        &[
            "domain",
            "clock",
            "failpoints",
            "inbox",
            "payload",
            "roster",
            "decision",
            "accounts",
            "audit",
            "holds",
            "pool",
            "metrics",
            "vitals",
        ],
    ),
    (
        "settings",
        &[
            "domain",
            "accounts",
            "decision",
            "http",
            "payload",
            "signature",
        ],
    ),
    (
        "pull",
        &[
            "domain", "clock", "hooks", "inbox", "payload", "roster", "turns", "worker", "metrics",
            "vitals",
        ],
    ),
    (
        "drift",
        &[
            "domain", "clock", "roster", "decision", "accounts", "holds", "turns", "worker",
        ],
    ),
    ("silence", &["domain", "clock", "inbox", "pool", "worker"]),
    ("telemetry", &["settings"]),
    (
        "app",
        &[
            "accounts",
            "clock",
            "decision",
            "domain",
            "drift",
            "health",
            "http",
            "intake",
            "metrics",
            "payload",
            "pool",
            "pull",
            "schema",
            "settings",
            "signature",
            "silence",
            "vitals",
            "worker",
        ],
    ),
    ("demo", &["*"]),
    ("cli", &["*"]),
    ("main", &["*"]),
];

/// Rooms without async, pool, clock or log.
const PURE: [&str; 4] = ["domain", "signature", "payload", "decision"];

/// SQL stands in `store.rs` files; the other two make and show tables that are not a room's.
const MAY_HOLD_SQL: [&str; 2] = ["schema.rs", "demo/example.rs"];

const LONGEST_FILE: usize = 400;

struct File {
    path: String,
    room: String,
    text: String,
    is_test: bool,
}

fn files() -> Vec<File> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = vec![];
    walk(&sources, &mut found);
    found
        .into_iter()
        .map(|path| {
            let inside = path
                .strip_prefix(&sources)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            let room = inside.split(['/', '.']).next().unwrap().to_owned();
            let is_test = inside
                .split(['/', '.'])
                .any(|part| part == "tests" || part.ends_with("_tests"));
            File {
                text: fs::read_to_string(&path).unwrap(),
                path: inside,
                room,
                is_test,
            }
        })
        .filter(|file| file.path != "lib.rs")
        .collect()
}

/// The rooms that a text names as `crate::room`, also in braces and in the binary's `leaver::room`.
fn imports(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (position, _) in text.match_indices("crate::") {
        let rest = &text[position + "crate::".len()..];
        let names = match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default(),
            None => rest
                .split(|c: char| !c.is_ascii_lowercase() && c != '_')
                .next()
                .unwrap_or_default(),
        };
        for name in names.split(',') {
            let name: String = name
                .trim()
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '_')
                .collect();
            if !name.is_empty() {
                found.insert(name);
            }
        }
    }
    found
}

#[test]
fn each_room_imports_only_what_it_may() {
    let mut wrong = vec![];
    for file in files().iter().filter(|file| !file.is_test) {
        let (_, allowed) = MAY_IMPORT
            .iter()
            .find(|(room, _)| *room == file.room)
            .unwrap_or_else(|| {
                panic!(
                    "{}: a new room; say here and in docs/ARCHITECTURE.md whom it may import",
                    file.path
                )
            });
        for import in imports(&file.text) {
            if import != file.room && !allowed.contains(&"*") && !allowed.contains(&import.as_str())
            {
                wrong.push(format!("{} imports {import}", file.path));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn the_documented_table_is_this_one() {
    let docs =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ARCHITECTURE.md"))
            .unwrap();
    for (room, allowed) in MAY_IMPORT {
        let list = match allowed {
            [] => "nothing of ours".to_owned(),
            ["*"] => "what they put together".to_owned(),
            rooms => rooms
                .iter()
                .map(|room| format!("`{room}`"))
                .collect::<Vec<_>>()
                .join(", "),
        };
        let line = format!("| `{room}` | {list} |");
        assert!(
            docs.contains(&line),
            "docs/ARCHITECTURE.md lacks the line {line}"
        );
    }
}

#[test]
fn the_two_halves_do_not_know_each_other() {
    for file in files().iter().filter(|file| !file.is_test) {
        let imports = imports(&file.text);
        assert!(
            !(file.room == "http" && imports.contains("worker")),
            "{}",
            file.path
        );
        assert!(
            !(file.room == "worker" && imports.contains("http")),
            "{}",
            file.path
        );
    }
}

#[test]
fn pure_rooms_are_pure() {
    for file in files()
        .iter()
        .filter(|file| !file.is_test && PURE.contains(&file.room.as_str()))
    {
        for forbidden in [
            "async ",
            "tokio::",
            "sqlx::",
            "tracing::",
            "Clock",
            "SystemTime",
            "Utc::now",
        ] {
            assert!(
                !file.text.contains(forbidden),
                "{} is of a pure room and has `{forbidden}`",
                file.path
            );
        }
    }
}

#[test]
fn sql_stands_in_store_files() {
    for file in files().iter().filter(|file| !file.is_test) {
        let speaks_sql = ["sqlx::query", "raw_sql(", "query_as!", "query_scalar!"]
            .iter()
            .any(|word| file.text.contains(word));
        let may = file.path.ends_with("/store.rs") || MAY_HOLD_SQL.contains(&file.path.as_str());
        assert!(
            may || !speaks_sql,
            "{} has SQL; it belongs into the store.rs of its table",
            file.path
        );
    }
}

#[test]
fn only_our_pool_knows_that_of_sqlx() {
    for file in files().iter().filter(|file| !file.is_test) {
        let knows = ["PgPool", "sqlx::pool", "sqlx::Pool"]
            .iter()
            .any(|word| file.text.contains(word));
        assert!(
            file.room == "pool" || !knows,
            "{} lends connections past `pool`, where a dead one costs its place for ever",
            file.path
        );
    }
}

#[test]
fn only_http_knows_axum_and_only_signature_knows_hmac() {
    for file in files().iter().filter(|file| !file.is_test) {
        assert!(
            file.room == "http" || !file.text.contains("axum::"),
            "{} knows axum",
            file.path
        );
        assert!(
            file.room == "signature" || !file.text.contains("hmac::"),
            "{} knows hmac",
            file.path
        );
    }
}

#[test]
fn only_the_signature_room_makes_a_verified_delivery() {
    for file in files() {
        assert!(
            file.room == "signature" || !file.text.contains("VerifiedDelivery {"),
            "{} makes a VerifiedDelivery",
            file.path
        );
    }
}

#[test]
fn no_file_outgrows_one_concept() {
    let long: Vec<String> = files()
        .iter()
        .map(|file| (file.text.lines().count(), &file.path))
        .filter(|(lines, _)| *lines > LONGEST_FILE)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    assert_eq!(
        long,
        Vec::<String>::new(),
        "look for the second concept in it"
    );
}

#[test]
fn every_file_says_what_it_is_for() {
    for file in files().iter().filter(|file| !file.is_test) {
        assert!(
            file.text.starts_with("//!"),
            "{} does not open with a line on what it is for",
            file.path
        );
    }
}

#[test]
fn the_image_checks_its_health_through_the_binary() {
    let dockerfile =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Dockerfile")).unwrap();
    let defaults = leaver::config::DEFAULTS;
    assert!(
        dockerfile.contains(r"HEALTHCHECK")
            && dockerfile.contains(r#"["/usr/local/bin/leaver", "health"]"#)
    );
    assert!(
        dockerfile.contains("LEAVER_LISTEN=0.0.0.0:8080 LEAVER_ADMIN_LISTEN=0.0.0.0:8081")
            && dockerfile.contains("EXPOSE 8080 8081")
    );
    assert!(
        defaults.contains("127.0.0.1:8080") && defaults.contains("127.0.0.1:8081"),
        "the image and the defaults name the same ports"
    );
}
