//! Releases are built from pinned parts, checked for advisories, and contain nothing of the machine that built them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Returns the files that the repository contains, or all files of the checkout if it is no repository.
fn files() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root)
        .output();
    if let Some(output) = output.ok().filter(|output| output.status.success()) {
        let names = String::from_utf8(output.stdout).unwrap();
        return names.split_terminator('\0').map(str::to_owned).collect();
    }
    let mut found = vec![];
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            let is_ignored = ["target", "dist", "vendor", "fuzz/target", "fuzz/corpus"];
            if path.is_dir() && !is_ignored.contains(&name.as_str()) {
                folders.push(path);
            } else if path.is_file() {
                found.push(name);
            }
        }
    }
    found
}

#[test]
fn every_base_image_has_a_digest() {
    let dockerfile = read("Dockerfile");
    let bases: Vec<&str> = dockerfile
        .lines()
        .filter_map(|line| line.strip_prefix("FROM "))
        .collect();
    assert_eq!(bases.len(), 2);
    for base in bases {
        let image = base.split(' ').next().unwrap();
        let (_, digest) = image.split_once("@sha256:").expect(image);
        assert!(digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
    // A syntax line names one more image, which is downloaded and executed.
    assert!(!dockerfile.contains("# syntax="));
    for label in ["title", "description", "licenses", "version", "revision"] {
        let label = format!("org.opencontainers.image.{label}=");
        assert!(dockerfile.contains(&label), "{label}");
    }
}

#[test]
fn a_release_checks_sums_and_hides_its_folders() {
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let release = &manifest["profile"]["release"];
    assert_eq!(release["overflow-checks"].as_bool(), Some(true));
    for (builder, prefixes) in [("Dockerfile", 2), (".ci/release", 1)] {
        let text = read(builder);
        assert!(text.contains("cargo auditable build"), "{builder}");
        let remapped = text.matches("--remap-path-prefix=").count();
        assert_eq!(remapped, prefixes, "{builder}");
        assert_eq!(text.matches("-ffile-prefix-map=").count(), 2, "{builder}");
    }
}

#[test]
fn the_lint_checks_both_lock_files_for_advisories() {
    let rules: toml::Table = read("deny.toml").parse().unwrap();
    let advisories = rules["advisories"].as_table().unwrap();
    assert_eq!(advisories["yanked"].as_str(), Some("deny"));
    for ignored in advisories["ignore"].as_array().unwrap() {
        assert!(ignored.get("reason").is_some(), "{ignored} has no reason");
    }
    let makefile = read("Makefile");
    let (_, lint) = makefile.split_once("\nlint:").unwrap();
    let lint = lint.split("\n\n").next().unwrap();
    assert!(lint.contains("./.ci/advisories"));
    let script = read(".ci/advisories");
    assert!(script.contains("for manifest in Cargo.toml fuzz/Cargo.toml"));
    // CI plants an advisory for a crate of each lock file, which must fail.
    assert!(read(".ci/run").contains("./.ci/advisories-proof"));
}

/// Writes an executable file.
fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn without_a_database_the_check_prints_one_line() {
    // A checkout without a copy, a git that reaches no server, and a cargo with `deny`: no tool and no network is needed.
    let folder = tempfile::tempdir().unwrap();
    let check = folder.path().join(".ci/advisories");
    script(&check, &read(".ci/advisories"));
    script(&folder.path().join("bin/git"), "#!/bin/sh\nexit 128\n");
    script(&folder.path().join("bin/cargo"), "#!/bin/sh\nexit 0\n");
    let path = format!("{}/bin:/usr/bin:/bin", folder.path().display());
    for (required, status) in [("", 0), ("required", 1)] {
        let output = Command::new(&check)
            .env("PATH", &path)
            .env("ADVISORIES", required)
            .env_remove("ADVISORY_DB")
            .output()
            .unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("NOT CHECKED") && text.contains("ADVISORY_DB"));
    }
}

#[test]
fn no_file_contains_a_path_of_a_machine() {
    // Folders that only exist where somebody works: of accounts, and of this checkout.
    let root = env!("CARGO_MANIFEST_DIR");
    let accounts = ["/root/", "/Users/", "/home/"];
    // Documented places of programs, the account of a base image, and the made-up one of a test.
    let allowed = ["/home/linuxbrew/", "/home/nonroot", "/home/d/", "/home/d\""];
    let mut found = vec![];
    let mut read = 0;
    for file in files() {
        if file == "tests/it/hardening/supply.rs" {
            continue;
        }
        let Ok(text) = fs::read_to_string(Path::new(root).join(&file)) else {
            continue; // an input of a fuzz target
        };
        read += 1;
        for (number, line) in text.lines().enumerate() {
            let line = allowed
                .iter()
                .fold(line.to_owned(), |line, path| line.replace(path, ""));
            let has_path = accounts.iter().any(|path| line.contains(path))
                || (root.len() > 4 && line.contains(root));
            if has_path {
                found.push(format!("{file}:{}", number + 1));
            }
        }
    }
    assert!(read > 500, "{read} files");
    assert_eq!(found, Vec::<String>::new());
}
