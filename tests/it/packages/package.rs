//! The Debian package: its files and its maintainer scripts. `make package-proof` installs it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::scratch;

fn checkout(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A file system of its own, on which the maintainer scripts act.
struct Root(TempDir);

impl Root {
    /// Returns one with the files of the package that the scripts touch.
    fn installed() -> Self {
        let root = Self(scratch::folder());
        root.write("etc/leaver/leaver.toml");
        root.run("postinst", &["configure", ""]);
        root.write("etc/leaver/credentials/database_url");
        root.write("etc/systemd/system/multi-user.target.wants/leaver.service");
        root.write("var/lib/private/leaver/state/mark");
        let link = root.path("var/lib/leaver");
        std::os::unix::fs::symlink("private/leaver", link).unwrap();
        root
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn write(&self, path: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }

    #[track_caller]
    fn run(&self, script: &str, args: &[&str]) {
        let script = checkout(&format!("packaging/deb/scripts/{script}"));
        let mut command = Command::new(script);
        command.args(args).env("DPKG_ROOT", self.0.path());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        assert!(output.stderr.is_empty(), "{args:?}: {output:?}");
    }

    /// Returns the files and links, without folders.
    fn files(&self) -> Vec<String> {
        let found = Command::new("find")
            .args([".", "!", "-type", "d"])
            .current_dir(self.0.path())
            .output()
            .unwrap();
        let found = String::from_utf8(found.stdout).unwrap();
        found.lines().map(str::to_owned).collect()
    }
}

#[test]
fn only_root_reads_the_packages_credentials() {
    let root = Root::installed();
    let credentials = root.path("etc/leaver/credentials");
    let mode = fs::metadata(&credentials).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_removal_and_an_upgrade_keep_settings_secrets_and_state() {
    let root = Root::installed();
    let before = root.files();
    root.run("prerm", &["upgrade", "0.1.0-2"]);
    root.run("postrm", &["upgrade", "0.1.0-2"]);
    root.run("postinst", &["configure", "0.1.0-1"]);
    root.run("prerm", &["remove"]);
    root.run("postrm", &["remove"]);
    assert_eq!(root.files(), before);
}

#[test]
fn a_purge_deletes_secrets_and_state() {
    let root = Root::installed();
    root.run("prerm", &["remove"]);
    root.run("postrm", &["remove"]);
    // dpkg deletes the settings itself.
    fs::remove_file(root.path("etc/leaver/leaver.toml")).unwrap();
    root.run("postrm", &["purge"]);
    assert_eq!(root.files(), Vec::<String>::new());
    assert!(!root.path("etc/leaver").exists());
    assert!(!root.path("var/lib/private/leaver").exists());
    // A second purge, as dpkg runs it after a failure.
    root.run("postrm", &["purge"]);
}

#[test]
fn every_file_of_the_package_exists() {
    let manifest = fs::read_to_string(checkout("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let package = &manifest["package"]["metadata"]["deb"];
    let assets = package["assets"].as_array().unwrap();
    let mut targets = vec![];
    for asset in assets {
        let [source, target, _mode] = [0, 1, 2].map(|n| asset[n].as_str().unwrap());
        targets.push(target);
        // These are made for the package.
        if source.starts_with("target/") {
            continue;
        }
        let folder = source.trim_end_matches("*.conf");
        assert!(checkout(folder).exists(), "{source}");
    }
    for target in ["usr/bin/", "usr/lib/systemd/system/", "etc/leaver/"] {
        assert!(targets.contains(&target), "{target}");
    }
    let unit = fs::read_to_string(checkout("packaging/systemd/leaver.service")).unwrap();
    let start = "ExecStart=/usr/bin/leaver serve --config /etc/leaver/leaver.toml\n";
    assert!(unit.contains(start));
}
