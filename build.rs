//! Rebuilds the library when `migrations/` changes: the migrations are embedded, and Cargo does not detect new files there.
//! Writes the targets that a filter of the log can name. Sets `LEAVER_BUILD_COMMIT` and `LEAVER_BUILD_TIME`, for `leaver --version`.
//!
//! Both depend on the sources alone, so that two builds of one commit are identical. The commit is that of
//! `LEAVER_BUILD_REVISION`, of the archive (`.ci/archive-commit`), or of the checkout. The time is `SOURCE_DATE_EPOCH`, else
//! that of the commit, in seconds since 1970. Without any of them the value is `unknown`.

use std::env;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

const UNKNOWN: &str = "unknown";
/// `git archive` replaces the placeholders in this file by the commit and its time.
const ARCHIVE: &str = ".ci/archive-commit";
/// Digits of a commit that are shown.
const DIGITS: usize = 12;

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-changed=src");
    println!("cargo:rerun-if-changed=Cargo.lock");
    if Path::new(ARCHIVE).exists() {
        println!("cargo:rerun-if-changed={ARCHIVE}");
    }
    for variable in ["LEAVER_BUILD_REVISION", "SOURCE_DATE_EPOCH"] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    let known = archive().or_else(checkout);
    let revision = variable("LEAVER_BUILD_REVISION");
    let commit = revision.or_else(|| known.as_ref().map(|known| known.0.clone()));
    let time = variable("SOURCE_DATE_EPOCH").or_else(|| known.map(|known| known.1));
    let commit = commit.map(|commit| commit.chars().take(DIGITS).collect());
    set("COMMIT", commit);
    set("TIME", time);
    write_log_targets()
}

fn set(name: &str, value: Option<String>) {
    let value = value.unwrap_or_else(|| UNKNOWN.to_owned());
    println!("cargo:rustc-env=LEAVER_BUILD_{name}={value}");
}

/// Returns a variable that is set and of one word.
fn variable(name: &str) -> Option<String> {
    let value = env::var_os(name)?.into_string().ok()?;
    let is_word = !value.is_empty() && value != UNKNOWN && value.chars().all(char::is_alphanumeric);
    is_word.then_some(value)
}

/// Returns commit and time of an archive that `git archive` made.
fn archive() -> Option<(String, String)> {
    let text = fs::read_to_string(ARCHIVE).ok()?;
    let (commit, time) = text.trim().split_once(' ')?;
    let is_replaced = commit.chars().all(|c| c.is_ascii_hexdigit());
    is_replaced.then(|| (commit.to_owned(), time.to_owned()))
}

/// Returns commit and time of the checkout. A folder inside another project's checkout is none.
fn checkout() -> Option<(String, String)> {
    let top = git(&["rev-parse", "--show-toplevel"])?;
    let here = env::var_os("CARGO_MANIFEST_DIR")?;
    if fs::canonicalize(top).ok()? != fs::canonicalize(here).ok()? {
        return None;
    }
    // The log of HEAD grows with each commit, and HEAD itself changes with the branch.
    for name in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", name])?;
        if Path::new(&path).exists() {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    let text = git(&["log", "-1", "--format=%H %ct"])?;
    let (commit, time) = text.split_once(' ')?;
    Some((commit.to_owned(), time.to_owned()))
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// Writes the modules of this crate and the names of all crates, for `service::log_filter`.
fn write_log_targets() -> io::Result<()> {
    let mut modules = vec!["leaver".to_owned()];
    add_modules(Path::new("src"), "leaver", &mut modules)?;
    modules.sort();
    let lock = fs::read_to_string("Cargo.lock").unwrap_or_default();
    let names = lock.lines().filter_map(|line| line.strip_prefix("name = "));
    let mut crates: Vec<String> = names
        .map(|name| name.trim_matches('"').replace('-', "_"))
        .collect();
    crates.dedup();
    let text =
        format!("const MODULES: &[&str] = &{modules:?};\nconst CRATES: &[&str] = &{crates:?};\n");
    let folder = env::var_os("OUT_DIR").unwrap_or_default();
    fs::write(Path::new(&folder).join("log_targets.rs"), text)
}

/// Adds the modules in the files of a folder. Files of tests and of the program itself have no targets that matter.
fn add_modules(folder: &Path, path: &str, modules: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let file = entry?.path();
        let name = file.file_stem().and_then(|name| name.to_str());
        let Some(name) = name.filter(|name| !["mod", "lib", "main", "tests"].contains(name)) else {
            continue;
        };
        let module = format!("{path}::{name}");
        if file.is_dir() {
            modules.push(module.clone());
            add_modules(&file, &module, modules)?;
        } else if file.extension().is_some_and(|extension| extension == "rs") {
            modules.push(module);
        }
    }
    Ok(())
}
