//! Rules about the source tree that the compiler does not check. `docs/ARCHITECTURE.md` documents them.

mod imports;
mod layout;

use std::fs;
use std::path::{Path, PathBuf};

/// A Rust file of the checkout.
struct File {
    /// From the checkout's root, such as `src/db/pool.rs`.
    path: String,
    text: String,
}

impl File {
    /// Returns the top-level module it belongs to: a name below `src`, or the name of a crate below `crates`.
    fn module(&self) -> &str {
        self.path.split(['/', '.']).nth(1).unwrap()
    }

    /// Returns whether it only has tests.
    fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
            || self
                .path
                .split(['/', '.'])
                .any(|part| part == "tests" || part.ends_with("_tests"))
    }

    /// Returns whether it is in this folder.
    fn is_in(&self, folder: &str) -> bool {
        self.path.starts_with(&format!("{folder}/"))
    }

    /// Returns its text without lines that are comments only.
    fn code(&self) -> String {
        let lines = self.text.lines();
        lines
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Returns the first of these words that its code contains.
    fn contains_any<'a>(&self, words: &[&'a str]) -> Option<&'a str> {
        let code = self.code();
        words.iter().find(|word| code.contains(**word)).copied()
    }
}

/// Returns a path in the checkout.
fn checkout(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Returns the Rust files below these folders of the checkout.
fn files_in(folders: &[&str]) -> Vec<File> {
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
    for folder in folders {
        walk(&checkout(folder), &mut found);
    }
    found.sort();
    let file = |path: PathBuf| File {
        text: fs::read_to_string(&path).unwrap(),
        path: path
            .strip_prefix(checkout(""))
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned(),
    };
    found.into_iter().map(file).collect()
}

/// Returns the files of the service and its crates, without their tests.
fn sources() -> Vec<File> {
    let files = files_in(&["src", "crates"]);
    files.into_iter().filter(|file| !file.is_test()).collect()
}

/// Fails if there is any violation, and lists all of them.
#[track_caller]
fn assert_none(violations: &[String], advice: &str) {
    assert!(violations.is_empty(), "{}\n{advice}", violations.join("\n"));
}
