//! Completions, man pages, and the version.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::process::run;
use crate::support::scratch;

/// Returns the names of the subcommands that the help of a command lists.
fn subcommands(command: &[&str]) -> Vec<String> {
    let help = run(&[command, &["--help"]].concat(), &[]).succeeded().out;
    let Some((_, list)) = help.split_once("Commands:\n") else {
        return vec![];
    };
    let lines = list.lines().take_while(|line| !line.is_empty());
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.map(|line| line.split_whitespace().next().unwrap().to_owned());
    names.filter(|name| name != "help").collect()
}

#[test]
fn every_command_has_a_man_page() {
    let folder = scratch::folder();
    let target = folder.path().join("man");
    run(&["man", target.to_str().unwrap()], &[]).succeeded();
    let mut expected = vec!["leaver".to_owned()];
    for name in subcommands(&[]) {
        let inner = subcommands(&[&name]);
        expected.extend(inner.iter().map(|inner| format!("leaver-{name}-{inner}")));
        expected.push(format!("leaver-{name}"));
    }
    assert!(expected.len() > 30, "{expected:?}");
    for name in &expected {
        let page = std::fs::read_to_string(target.join(format!("{name}.1"))).unwrap();
        assert!(page.contains(&format!(".TH {name} 1")), "{page}");
        assert!(
            page.contains(".SH NAME") && page.contains(".SH OPTIONS"),
            "{page}"
        );
    }
    assert_eq!(std::fs::read_dir(&target).unwrap().count(), expected.len());
}

#[test]
fn every_shell_completes_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell], &[]).succeeded().out;
        for name in subcommands(&[]) {
            assert!(script.contains(&name), "{shell} lacks {name}");
        }
        assert!(script.contains("grant-to"), "{shell} lacks a flag");
    }
    let other = run(&["completions", "csh"], &[]);
    assert_eq!(other.code, Some(2), "{other:?}");
    let bash = run(&["completions", "bash"], &[]).out;
    let words = "COMP_WORDS=(leaver config sch); COMP_CWORD=2; _leaver leaver sch config; echo \"${COMPREPLY[*]}\"";
    let completed = Command::new("bash")
        .args(["-c", &format!("{bash}\n{words}")])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&completed.stdout),
        "schema\n",
        "{completed:?}"
    );
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn git(args: &[&str], folder: &Path) -> Option<String> {
    let output = Command::new("git")
        .args(args)
        .current_dir(folder)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).unwrap();
    output.status.success().then(|| text.trim().to_owned())
}

#[test]
fn the_version_names_commit_and_date() {
    let version = run(&["--version"], &[]).succeeded().out;
    let start = format!("leaver {} (commit ", env!("CARGO_PKG_VERSION"));
    let rest = version
        .strip_prefix(&start)
        .unwrap_or_else(|| panic!("{version}"));
    let (commit, date) = rest.trim_end().split_once(", built ").unwrap();
    let is_set = |name: &str| std::env::var_os(name).is_some();
    if !is_set("LEAVER_BUILD_REVISION") && git(&["rev-parse", "HEAD"], &root()).is_some() {
        // HEAD may have moved since the build.
        let named = format!("{commit}^{{commit}}");
        assert!(
            git(&["rev-parse", "--verify", &named], &root()).is_some(),
            "{version}"
        );
    }
    assert!(date.ends_with(')'), "{version}");
}

/// A copy of `build.rs` as a program.
struct BuildScript {
    folder: TempDir,
}

impl BuildScript {
    fn new() -> Self {
        let folder = scratch::folder();
        let built = Command::new("rustc")
            .args(["--edition", "2024", "-o"])
            .arg(folder.path().join("program"))
            .arg(root().join("build.rs"))
            .status();
        assert!(built.unwrap().success());
        Self { folder }
    }

    /// Runs it in a folder. Returns commit and time.
    fn run(&self, folder: &Path, env: &[(&str, &str)]) -> (String, String) {
        let output = Command::new(self.folder.path().join("program"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("CARGO_MANIFEST_DIR", folder)
            .envs(env.iter().copied())
            .current_dir(folder)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let value = |name: &str| {
            let start = format!("cargo:rustc-env=LEAVER_BUILD_{name}=");
            text.lines()
                .find_map(|line| line.strip_prefix(&start))
                .unwrap()
                .to_owned()
        };
        (value("COMMIT"), value("TIME"))
    }
}

#[test]
fn commit_and_time_depend_on_the_sources_alone() {
    let script = BuildScript::new();
    let folder = script.folder.path().join("tree");
    std::fs::create_dir_all(folder.join(".ci")).unwrap();
    let of = |commit: &str, time: &str| (commit.to_owned(), time.to_owned());
    assert_eq!(script.run(&folder, &[]), of("unknown", "unknown"));
    let epoch = [("SOURCE_DATE_EPOCH", "1709164800")];
    assert_eq!(script.run(&folder, &epoch).1, "1709164800");
    let revision = [("LEAVER_BUILD_REVISION", "0123456789abcdef0123")];
    assert_eq!(script.run(&folder, &revision).0, "0123456789ab");
    // The checkout of another project around it is not ours.
    let outer = script.folder.path();
    let author = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
    for args in [
        &["init", "--quiet"][..],
        &[
            &author[..],
            &["commit", "--quiet", "--allow-empty", "-m", "x"],
        ]
        .concat(),
    ] {
        git(args, outer).unwrap();
    }
    assert_eq!(script.run(&folder, &[]).0, "unknown");
    let head = git(&["rev-parse", "HEAD"], outer).unwrap();
    assert_eq!(script.run(outer, &[]).0, head[..12]);
    let archive = folder.join(".ci/archive-commit");
    std::fs::write(&archive, "$Format:%H %ct$\n").unwrap();
    assert_eq!(script.run(&folder, &[]).0, "unknown");
    std::fs::write(&archive, "fedcba9876543210fedcba98 1709164800\n").unwrap();
    assert_eq!(script.run(&folder, &[]), of("fedcba987654", "1709164800"));
}

#[test]
fn an_archive_of_the_checkout_contains_its_commit() {
    let Some(head) = git(&["rev-parse", "HEAD"], &root()) else {
        return;
    };
    let archive = Command::new("git")
        .args(["archive", "HEAD", ".ci/archive-commit"])
        .current_dir(root())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&archive.stdout);
    assert!(
        text.contains(&head),
        "the placeholder of .ci/archive-commit is not replaced"
    );
}
