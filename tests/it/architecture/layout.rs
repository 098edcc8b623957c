//! Where SQL, axum and other things may be used, and how long a file may be.

use std::fs;

use super::{File, assert_none, checkout, files_in, sources};

/// Lines that a file may have. A longer one has more than one concept.
const MAX_LINES: usize = 400;

/// Fails for each source file that contains one of these words and is not allowed to.
#[track_caller]
fn assert_only(words: &[&str], allowed: impl Fn(&File) -> bool, advice: &str) {
    let mut violations = vec![];
    for file in sources().iter().filter(|file| !allowed(file)) {
        if let Some(word) = file.contains_any(words) {
            violations.push(format!("{} contains `{word}`", file.path));
        }
    }
    assert_none(&violations, advice);
}

#[test]
fn leaver_core_is_pure() {
    let impure = [
        "async ",
        ".await",
        "tokio::",
        "sqlx::",
        "tracing::",
        "SystemTime",
        "Instant::now",
        "Utc::now",
        "std::fs",
        "std::net",
        "std::env",
    ];
    assert_only(
        &impure,
        |file| !file.is_in("crates/leaver-core"),
        "leaver-core does no I/O, reads no clock and logs nothing",
    );
}

#[test]
fn sql_is_in_store_files_only() {
    let sql = ["sqlx::query", "raw_sql(", "query_as!", "query_scalar!"];
    // The schema belongs to all tables, and the demo's tables to the application.
    let others = ["src/db/schema.rs", "src/demo/example.rs"];
    assert_only(
        &sql,
        |file| file.path.ends_with("/store.rs") || others.contains(&file.path.as_str()),
        "move the query to the store.rs of its table",
    );
}

#[test]
fn only_our_pool_uses_the_pool_of_sqlx() {
    assert_only(
        &["PgPool", "sqlx::pool", "sqlx::Pool"],
        |file| file.path == "src/db/backends/listening.rs",
        "borrow connections from `db::pool`: sqlx's pool never frees the place of a dead connection",
    );
}

#[test]
fn only_our_own_functions_open_connections() {
    assert_only(
        &[".connect()", "connect_with(options", "ConnectOptions as _"],
        |file| file.is_in("src/db") || !file.is_in("src"),
        "use `db::connection::open`, which sets the search path",
    );
}

#[test]
fn only_api_and_service_use_axum() {
    assert_only(
        &["axum::"],
        |file| ["api", "service"].contains(&file.module()) || file.path == "src/demo/receiver.rs",
        "HTTP types stay in `api`",
    );
}

#[test]
fn only_signature_schemes_use_hmac() {
    assert_only(
        &["hmac::"],
        |file| {
            ["signature", "providers", "events/signing"]
                .iter()
                .any(|module| {
                    let folder = format!("crates/leaver-core/src/{module}");
                    file.is_in(&folder) || file.path == format!("{folder}.rs")
                })
                || file.path == "src/db/connection/scram.rs"
        },
        "a signature is checked in leaver-core",
    );
}

#[test]
fn only_signature_makes_a_verified_delivery() {
    let mut violations = vec![];
    for file in files_in(&["src", "crates"]) {
        let makes = file.code().contains("VerifiedDelivery {");
        let is_test = file.is_in("crates/leaver-core/tests");
        if makes && !is_test && !file.is_in("crates/leaver-core/src/signature") {
            violations.push(file.path);
        }
    }
    assert_none(&violations, "verify a request to get one");
}

#[test]
fn only_two_small_crates_have_unsafe_code() {
    assert_only(
        &["unsafe {", "unsafe fn", "allow(unsafe_code"],
        |file| file.is_in("crates/embedded-postgres") || file.is_in("crates/allocator"),
        "unsafe code is forbidden",
    );
}

#[test]
#[expect(clippy::print_stderr, reason = "the sizes are for the reader of a run")]
fn no_file_is_longer_than_one_concept() {
    let mut long = vec![];
    for folder in ["src", "crates", "tests"] {
        let files = files_in(&[folder]);
        let mut sizes: Vec<usize> = files.iter().map(|file| file.text.lines().count()).collect();
        for (file, lines) in files.iter().zip(&sizes) {
            if *lines > MAX_LINES {
                long.push(format!("{} has {lines} lines", file.path));
            }
        }
        sizes.sort_unstable();
        eprintln!(
            "{folder}: {} files, median {} lines, longest {}",
            sizes.len(),
            sizes[sizes.len() / 2],
            sizes[sizes.len() - 1]
        );
    }
    assert_none(&long, "find its second concept and move that");
}

#[test]
fn every_file_opens_with_its_purpose() {
    let mut violations = vec![];
    let mut files = sources();
    files.extend(files_in(&["tests"]));
    for file in files {
        if !file.text.starts_with("//!") && !file.text.starts_with("#![doc") {
            violations.push(file.path);
        }
    }
    assert_none(
        &violations,
        "the first line says what the file is for: //! ...",
    );
}

#[test]
fn the_image_checks_its_health_through_the_binary() {
    let dockerfile = fs::read_to_string(checkout("Dockerfile")).unwrap();
    let defaults = leaver::config::DEFAULTS;
    assert!(dockerfile.contains("HEALTHCHECK"));
    assert!(dockerfile.contains(r#"["/usr/local/bin/leaver", "health"]"#));
    assert!(dockerfile.contains("LEAVER_LISTEN=0.0.0.0:8080 LEAVER_ADMIN_LISTEN=0.0.0.0:8081"));
    assert!(dockerfile.contains("EXPOSE 8080 8081"));
    for address in ["127.0.0.1:8080", "127.0.0.1:8081"] {
        assert!(defaults.contains(address), "{address} is no default");
    }
}
