//! The notes of a release, from the changelog.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::scratch;

fn notes_from(changelog: &str, section: &str) -> Output {
    let folder = scratch::folder();
    fs::write(folder.path().join("CHANGELOG.md"), changelog).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/release-notes");
    Command::new(script)
        .arg(section)
        .current_dir(folder.path())
        .output()
        .unwrap()
}

#[test]
fn release_notes_are_the_section_of_the_version() {
    let changelog = "# Changelog\n\n## Unreleased\n- next\n\n## 0.2.0 - 2027-01-05\n\n### Upgrade notes\n- None.\n\n\
        ## 0.1.0 - 2026-12-01\n- first\n";
    let notes = notes_from(changelog, "0.2.0");
    assert!(notes.status.success(), "{notes:?}");
    let notes = String::from_utf8(notes.stdout).unwrap();
    assert_eq!(
        notes,
        "## 0.2.0 - 2027-01-05\n\n### Upgrade notes\n- None.\n"
    );
}

#[test]
fn a_release_without_section_or_upgrade_notes_is_refused() {
    for (changelog, words) in [
        ("# Changelog\n\n## Unreleased\n", "no section"),
        ("## 0.20.0\n### Upgrade notes\n", "no section"),
        (
            "## 0.2.0\n- all\n\n## 0.1.0\n### Upgrade notes\n",
            "no \"### Upgrade notes\"",
        ),
    ] {
        let notes = notes_from(changelog, "0.2.0");
        let printed = String::from_utf8(notes.stderr).unwrap();
        assert!(
            !notes.status.success() && printed.contains(words),
            "{printed}"
        );
    }
}

#[test]
fn the_changelog_is_ready_for_a_release() {
    let changelog = Path::new(env!("CARGO_MANIFEST_DIR")).join("CHANGELOG.md");
    let changelog = fs::read_to_string(changelog).unwrap();
    let newest = changelog.lines().find_map(|line| line.strip_prefix("## "));
    let section = newest.unwrap().split(' ').next().unwrap();
    let notes = notes_from(&changelog, section);
    assert!(notes.status.success(), "{notes:?}");
}
