//! Tests of finding binaries, choosing folders and error texts; starting a server is tested in `tests/it/embedded.rs`.

use std::{env, fs};

use super::binaries::{candidates, choose, install_line, parse_version};
use super::*;

const PG15_BIN: &str = "usr/lib/postgresql/15/bin";

/// Creates a tree in which each of these folders contains both programs, and default options.
fn tree(dirs: &[&str]) -> (tempfile::TempDir, Options) {
    let root = tempfile::tempdir().unwrap();
    for dir in dirs {
        let dir = root.path().join(dir);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("initdb"), "").unwrap();
        fs::write(dir.join("postgres"), "").unwrap();
    }
    let options = Options {
        bin_dir: None,
        search_path: None,
        data_dir: DataDir::Ephemeral,
    };
    (root, options)
}

fn found(root: &tempfile::TempDir, options: &Options) -> Vec<String> {
    let root = root.path().canonicalize().unwrap();
    candidates(options, &root)
        .unwrap()
        .iter()
        .map(|dir| dir.strip_prefix(&root).unwrap().display().to_string())
        .collect()
}

#[test]
fn tries_the_usual_folders_highest_version_first() {
    let (root, options) = tree(&[
        "opt/homebrew/opt/postgresql@17/bin",
        "usr/lib/postgresql/9.6/bin",
        "usr/lib/postgresql/13/bin",
        PG15_BIN,
        "usr/lib/postgresql15/bin",
        "usr/libexec/postgresql16",
        "usr/local/pgsql/bin",
        "usr/pgsql-16/bin",
    ]);
    fs::create_dir_all(root.path().join("usr/lib/postgresql/18/bin")).unwrap();
    assert_eq!(
        found(&root, &options),
        [
            PG15_BIN,
            "usr/lib/postgresql/13/bin",
            "usr/lib/postgresql/9.6/bin",
            "usr/pgsql-16/bin",
            "usr/lib/postgresql15/bin",
            "usr/libexec/postgresql16",
            "opt/homebrew/opt/postgresql@17/bin",
            "usr/local/pgsql/bin",
        ]
    );
}

#[test]
fn searches_path_first_and_follows_links() {
    let (root, mut options) = tree(&[PG15_BIN, "usr/bin", "usr/lib/postgresql/16/bin"]);
    let at = |path: &str| root.path().canonicalize().unwrap().join(path);
    fs::create_dir_all(at("usr/local/bin")).unwrap();
    std::os::unix::fs::symlink(at(PG15_BIN).join("initdb"), at("usr/local/bin/initdb")).unwrap();
    let path = env::join_paths([at("nowhere"), at("usr/local/bin"), at("usr/bin")]).unwrap();
    options.search_path = Some(path);
    assert_eq!(
        found(&root, &options),
        [PG15_BIN, "usr/bin", "usr/lib/postgresql/16/bin"]
    );
}

#[test]
fn pg_bindir_excludes_all_other_folders() {
    let (root, mut options) = tree(&[PG15_BIN, "mine"]);
    options.bin_dir = Some(root.path().canonicalize().unwrap().join("mine"));
    assert_eq!(found(&root, &options), ["mine"]);

    options.bin_dir = Some(root.path().join("usr"));
    let error = candidates(&options, root.path()).unwrap_err();
    assert!(matches!(error, Error::NotABinDir(_)), "{error}");
}

/// Returns the version chosen among folders that are named by their version.
fn chosen(dirs: &[&str], kept: Option<u32>) -> Result<Option<String>, Error> {
    let dirs = dirs.iter().map(PathBuf::from).collect();
    let version_of = |dir: &Path| match dir.to_str().unwrap() {
        "broken" => Err(Error::io("run", dir)(std::io::Error::other("broken"))),
        version => Ok(version.to_owned()),
    };
    Ok(choose(dirs, kept, version_of)?.map(|binaries| binaries.version))
}

#[test]
fn chooses_the_first_version_that_is_new_enough() {
    let first = chosen(&["broken", "9.6.24", "12.1", "15.14", "17.2"], None).unwrap();
    assert_eq!(first.as_deref(), Some("15.14"));
    assert_eq!(chosen(&[], None).unwrap(), None);
}

#[test]
fn prefers_the_version_of_an_existing_cluster() {
    let same = chosen(&["17.2", "15.14"], Some(15)).unwrap();
    assert_eq!(same.as_deref(), Some("15.14"));
    let other = chosen(&["17.2", "16.9"], Some(15)).unwrap();
    assert_eq!(other.as_deref(), Some("17.2"));
}

#[test]
fn refuses_an_older_postgres() {
    let error = chosen(&["12.22"], None).unwrap_err();
    insta::assert_snapshot!(error, @"Postgres 12.22 in 12.22 is too old; install version 13 or newer");
}

#[test]
fn parses_the_version_that_postgres_prints() {
    for (line, version) in [
        (
            "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)",
            Some("15.14"),
        ),
        ("postgres (PostgreSQL) 18beta1", Some("18beta1")),
        ("postgres (PostgreSQL) 9.6.24", Some("9.6.24")),
        ("postgres (PostgreSQL) ", None),
        ("postgres (EnterpriseDB) 15.1", None),
        ("", None),
    ] {
        assert_eq!(parse_version(line), version, "{line}");
    }
}

#[test]
fn names_the_install_command_of_each_system() {
    for (os, os_release, line) in [
        (
            "linux",
            "NAME=x\nID=debian\n",
            "apt-get install -y postgresql",
        ),
        (
            "linux",
            "ID=linuxmint\nID_LIKE=\"ubuntu debian\"",
            "apt-get install -y postgresql",
        ),
        (
            "linux",
            "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"",
            "dnf install -y postgresql-server",
        ),
        ("linux", "ID=alpine", "apk add postgresql"),
        ("linux", "ID=arch", "pacman -S postgresql"),
        (
            "linux",
            "ID=opensuse-leap\nID_LIKE='suse opensuse'",
            "zypper install -y postgresql-server",
        ),
        ("macos", "", "brew install postgresql"),
    ] {
        assert_eq!(install_line(os, os_release), line, "{os_release}");
    }
    assert!(install_line("linux", "VERSION_ID=1\n").contains("package manager"));
}

#[test]
fn missing_binaries_error_names_the_remedies() {
    let install = install_line("linux", "ID=debian").to_owned();
    insta::assert_snapshot!(
        Error::NoBinaries { install },
        @"no Postgres binaries found; install them (apt-get install -y postgresql), or set `PG_BINDIR` to the folder of initdb, or `DATABASE_URL` to a running server"
    );
}

#[test]
fn default_data_dir_depends_on_the_user() {
    let home = |as_root, xdg: Option<&str>, home: Option<&str>| {
        let found = default_data_dir(as_root, xdg.map(OsStr::new), home.map(OsStr::new));
        found.to_str().unwrap().to_owned()
    };
    assert_eq!(home(true, Some("/x"), Some("/root")), "/var/lib/leaver");
    assert_eq!(home(false, Some("/x"), Some("/home/d")), "/x/leaver");
    assert_eq!(
        home(false, Some("x"), Some("/home/d")),
        "/home/d/.local/state/leaver"
    );
    assert_eq!(
        home(false, None, Some("/home/d")),
        "/home/d/.local/state/leaver"
    );
    assert_eq!(home(false, None, None), "/var/lib/leaver");
}

#[test]
fn url_escapes_special_characters() {
    insta::assert_snapshot!(
        url(Path::new("/tmp/a b+c/sock"), "x"),
        @"postgres://postgres@localhost:5432/x?host=%2Ftmp%2Fa%20b%2Bc%2Fsock&sslmode=disable"
    );
}

#[test]
fn ready_requires_the_pid_of_our_own_server() {
    let pid_file = |state: &str| format!("41\n/d\n1\n5432\n/s\n\n 1 2\n{state}\n");
    assert!(server::is_ready(&pid_file("ready   "), 41));
    assert!(!server::is_ready(&pid_file("ready   "), 4));
    assert!(!server::is_ready(&pid_file("starting"), 41));
    assert!(!server::is_ready("41\n", 41));
}
