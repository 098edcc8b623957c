//! Which module may import which.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::{File, assert_none, checkout, sources};

/// Stands for every module.
const EVERYTHING: &[&str] = &["*"];

/// Each top-level module, and the modules that it may import. Each may also import the crate `leaver-core`.
const MAY_IMPORT: [(&str, &[&str]); 14] = [
    ("cli", EVERYTHING),
    ("demo", EVERYTHING),
    (
        "service",
        &[
            "api", "jobs", "reports", "engine", "roster", "ingest", "connect", "config", "db",
            "base",
        ],
    ),
    ("api", &["reports", "engine", "ingest", "db", "base"]),
    (
        "jobs",
        &["engine", "roster", "ingest", "connect", "db", "base"],
    ),
    (
        "reports",
        &["jobs", "engine", "roster", "ingest", "db", "base"],
    ),
    ("engine", &["roster", "db", "base"]),
    ("roster", &["db", "base"]),
    ("ingest", &["db", "base"]),
    ("connect", &["db", "base"]),
    // Only the types whose values it reads from the settings.
    (
        "config",
        &["api", "engine", "jobs", "ingest", "connect", "db"],
    ),
    ("db", &[]),
    ("base", &[]),
    ("leaver-core", &[]),
];

/// What `api` may use of `engine`.
const API_MAY_USE_OF_ENGINE: [&str; 4] = [
    "engine::audit",
    "engine::holds::resolve",
    "engine::evaluate",
    "engine::safeguard",
];

/// What the webhook handler may use. It stores requests and must not depend on what happens to them later.
const WEBHOOKS_MAY_USE: [&str; 3] = ["ingest::", "base::failpoints", "base::liveness"];

/// Returns the paths below `crate::` that a file uses, with groups in braces spelled out one level deep.
fn crate_paths(file: &File) -> BTreeSet<String> {
    let code = file.code();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut found = BTreeSet::new();
    for (position, root) in code.match_indices("crate::") {
        let rest = &code[position + root.len()..];
        let path = &rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())];
        match rest[path.len()..].strip_prefix('{') {
            Some(group) => {
                for item in group.split('}').next().unwrap().split(',') {
                    let item = item.trim().split([' ', '{']).next().unwrap();
                    found.insert(format!("{path}{item}"));
                }
            }
            None => {
                found.insert(path.to_owned());
            }
        }
    }
    found
}

/// Returns the modules that a file imports, its own excepted.
fn imported_modules(file: &File) -> BTreeSet<String> {
    // The crates have only themselves; their modules are not limited.
    if file.is_in("crates") {
        return BTreeSet::new();
    }
    let first = |path: &String| path.split("::").next().unwrap().to_owned();
    let mut modules: BTreeSet<String> = crate_paths(file).iter().map(first).collect();
    modules.remove(file.module());
    modules
}

#[test]
fn modules_import_only_what_they_may() {
    let mut violations = vec![];
    for file in &sources() {
        let module = file.module();
        if ["lib", "main", "embedded-postgres", "allocator"].contains(&module) {
            continue;
        }
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == module) else {
            violations.push(format!("{}: `{module}` is not in MAY_IMPORT", file.path));
            continue;
        };
        for import in imported_modules(file) {
            if *allowed != EVERYTHING && !allowed.contains(&import.as_str()) {
                violations.push(format!("{} imports `{import}`", file.path));
            }
        }
    }
    assert_none(
        &violations,
        "change MAY_IMPORT and docs/ARCHITECTURE.md together",
    );
}

#[test]
fn api_uses_only_the_parts_of_engine_that_answer_requests() {
    let mut violations = vec![];
    for file in sources().iter().filter(|file| file.module() == "api") {
        for path in crate_paths(file) {
            let allowed = API_MAY_USE_OF_ENGINE
                .iter()
                .any(|prefix| path.starts_with(prefix));
            if path.starts_with("engine") && !allowed {
                violations.push(format!("{} uses `{path}`", file.path));
            }
        }
    }
    assert_none(&violations, "api may use API_MAY_USE_OF_ENGINE of engine");
}

#[test]
fn the_webhook_handler_depends_on_ingest_and_signature_only() {
    let mut violations = vec![];
    for file in sources()
        .iter()
        .filter(|file| file.path == "src/api/webhooks.rs" || file.is_in("src/api/webhooks"))
    {
        for path in crate_paths(file) {
            let allowed = WEBHOOKS_MAY_USE
                .iter()
                .any(|prefix| path.starts_with(prefix));
            if !allowed && !path.starts_with("api::") {
                violations.push(format!("{} uses `crate::{path}`", file.path));
            }
        }
        if let Some(word) =
            file.contains_any(&["leaver_core::providers", "leaver_core::decision", "sqlx::"])
        {
            violations.push(format!("{} uses `{word}`", file.path));
        }
    }
    assert_none(
        &violations,
        "a request is authenticated and stored, no more",
    );
}

#[test]
fn the_crates_do_not_depend_on_the_service() {
    let mut violations = vec![];
    for (name, forbidden) in [
        (
            "leaver-core",
            &[
                "leaver",
                "embedded-postgres",
                "tokio",
                "sqlx",
                "tracing",
                "axum",
                "reqwest",
            ][..],
        ),
        (
            "embedded-postgres",
            &["leaver", "leaver-core", "tokio", "axum", "reqwest"],
        ),
    ] {
        let manifest = fs::read_to_string(checkout(&format!("crates/{name}/Cargo.toml"))).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        for dependency in manifest["dependencies"].as_table().unwrap().keys() {
            if forbidden.contains(&dependency.as_str()) {
                violations.push(format!("crates/{name} depends on {dependency}"));
            }
        }
    }
    assert_none(&violations, "the crates can be used without the service");
}

/// Returns the words in backticks of a table cell, without those in parentheses.
fn names_in(cell: &str) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    let mut depth = 0_usize;
    for (index, part) in cell.split('`').enumerate() {
        if index % 2 == 0 {
            depth += part.matches('(').count();
            depth = depth.saturating_sub(part.matches(')').count());
        } else if depth == 0 {
            names.insert(part);
        }
    }
    names
}

/// Returns the rows of the documented table whose second column is about imports, as name and imports.
fn documented_rows(docs: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut rows = BTreeMap::new();
    let mut in_table = false;
    for line in docs.lines() {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').collect();
        let [name, imports, ..] = cells[..] else {
            in_table = false;
            continue;
        };
        if in_table {
            let imports = if imports.contains("everything") {
                EVERYTHING.iter().copied().collect()
            } else {
                names_in(imports)
            };
            for name in names_in(name) {
                rows.insert(name, imports.clone());
            }
        }
        in_table |= imports.to_lowercase().contains("import");
    }
    rows
}

#[test]
fn the_documented_table_lists_the_same_imports() {
    let docs = fs::read_to_string(checkout("docs/ARCHITECTURE.md")).unwrap();
    let documented = documented_rows(&docs);
    let mut violations = vec![];
    for (module, allowed) in MAY_IMPORT {
        let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
        if documented.get(module) != Some(&allowed) {
            let row = documented.get(module);
            violations.push(format!(
                "`{module}` imports {allowed:?}, documented is {row:?}"
            ));
        }
    }
    assert_none(
        &violations,
        "docs/ARCHITECTURE.md needs a table `| module | imports |` with these names in backticks, or `everything`",
    );
}
