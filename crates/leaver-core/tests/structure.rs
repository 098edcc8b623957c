//! Structure rules of `leaver-core`, and the rule that no code compares providers. Both are checked on the source text.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]

use std::fs;
use std::path::{Path, PathBuf};

/// The files outside the provider folders that dispatch on the provider.
const DISPATCH: [&str; 5] = [
    "crates/leaver-core/src/domain/provider.rs",
    "crates/leaver-core/src/providers/mod.rs",
    "crates/leaver-core/src/signature/scheme.rs",
    // Selects the client of the provider's API.
    "src/service/apis.rs",
    "crates/leaver-core/src/providers/example.rs",
];

struct SourceFile {
    path: String,
    text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the source files below a folder of the repository, without tests.
fn sources(folder: &str) -> Vec<SourceFile> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = vec![];
    walk(&root().join(folder), &mut found);
    assert!(!found.is_empty(), "no sources in {folder}");
    let is_test = |path: &str| {
        path.split(['/', '.'])
            .any(|part| part == "tests" || part.ends_with("_tests") || part == "toy")
    };
    found
        .into_iter()
        .map(|path| SourceFile {
            text: fs::read_to_string(&path).unwrap(),
            path: path.strip_prefix(root()).unwrap().to_str().unwrap().into(),
        })
        .filter(|file| !is_test(&file.path))
        .collect()
}

/// Returns the variants of `Provider` outside tests.
fn variants() -> Vec<String> {
    let variants: Vec<String> = leaver_core::domain::Provider::all()
        .map(|provider| format!("{provider:?}"))
        .collect();
    assert!(variants.len() >= 2);
    variants
}

fn is_in_provider_folder(path: &str) -> bool {
    path.strip_prefix("crates/leaver-core/src/providers/")
        .is_some_and(|inside| inside.contains('/'))
}

#[test]
fn providers_are_not_compared_outside_their_folders() {
    let mut wrong = vec![];
    for file in sources("src")
        .iter()
        .chain(&sources("crates/leaver-core/src"))
    {
        if is_in_provider_folder(&file.path) || DISPATCH.contains(&file.path.as_str()) {
            continue;
        }
        for variant in variants() {
            let word = variant.to_lowercase();
            let patterns = [
                format!("Provider::{variant}"),
                format!("Scheme::{variant}"),
                format!("== \"{word}\""),
                format!("!= \"{word}\""),
            ];
            let found = patterns
                .iter()
                .filter(|pattern| file.text.contains(*pattern));
            wrong.extend(found.map(|pattern| format!("{}: {pattern}", file.path)));
        }
    }
    assert_eq!(
        wrong,
        Vec::<String>::new(),
        "ask `provider.capabilities()` instead"
    );
}

#[test]
fn dispatch_has_no_wildcard() {
    for path in DISPATCH {
        let text = fs::read_to_string(root().join(path)).unwrap();
        assert!(
            !text.contains("_ =>"),
            "{path}: a new provider would compile"
        );
    }
}

#[test]
fn only_signature_makes_a_verified_delivery() {
    for file in sources("crates/leaver-core/src") {
        let is_allowed = file.path.starts_with("crates/leaver-core/src/signature/");
        for pattern in ["VerifiedDelivery {", "VerifiedDelivery::new("] {
            let makes_one = file.text.contains(pattern);
            assert!(is_allowed || !makes_one, "{}: {pattern}", file.path);
        }
    }
}

#[test]
fn core_does_no_io_and_reads_no_clock() {
    for file in sources("crates/leaver-core/src") {
        for pattern in [
            "async ",
            "std::fs",
            "std::net",
            "std::env",
            "SystemTime",
            "Utc::now",
            "tracing::",
            "println!",
        ] {
            assert!(!file.text.contains(pattern), "{}: {pattern}", file.path);
        }
    }
    let manifest = fs::read_to_string(root().join("crates/leaver-core/Cargo.toml")).unwrap();
    let dependencies = manifest.split("[dev-dependencies]").next().unwrap();
    for name in ["tokio", "sqlx", "hyper", "reqwest", "tracing", "axum"] {
        assert!(!dependencies.contains(name), "a dependency on {name}");
    }
}

#[test]
fn files_are_short_and_have_a_header() {
    for file in sources("crates/leaver-core/src") {
        assert!(file.text.lines().count() <= 400, "{}: too long", file.path);
        assert!(file.text.starts_with("//!"), "{}: no header", file.path);
    }
}
