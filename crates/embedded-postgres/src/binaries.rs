//! Finds `initdb` and `postgres`. Debian and others do not put them on `PATH`, so this module lists the folders that
//! packages use.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use super::{Error, Options};

/// The oldest major version with the settings and files that this crate uses.
pub(super) const OLDEST_MAJOR: u32 = 13;

/// Parents of one folder per version: parent, prefix of the folder name, path below it.
const VERSIONED: [(&str, &str, &str); 9] = [
    ("usr/lib/postgresql", "", "bin"),          // Debian
    ("usr", "pgsql-", "bin"),                   // packages of the Postgres project for Fedora
    ("usr/lib", "postgresql", "bin"),           // SUSE
    ("usr/lib64", "postgresql-", "bin"),        // Gentoo
    ("usr/libexec", "postgresql", ""),          // Alpine
    ("opt/homebrew/opt", "postgresql@", "bin"), // Homebrew on Apple silicon
    ("usr/local/opt", "postgresql@", "bin"),    // Homebrew on Intel
    ("home/linuxbrew/.linuxbrew/opt", "postgresql@", "bin"),
    ("Applications/Postgres.app/Contents/Versions", "", "bin"),
];

/// An installed Postgres.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    pub(super) bin_dir: PathBuf,
    pub(super) version: String,
    pub(super) major: u32,
}

impl Binaries {
    pub(super) fn initdb(&self) -> PathBuf {
        self.bin_dir.join("initdb")
    }

    pub(super) fn postgres(&self) -> PathBuf {
        self.bin_dir.join("postgres")
    }
}

/// Finds binaries of this major version, else the first usable ones.
pub(super) fn find(options: &Options, existing: Option<u32>) -> Result<Binaries, Error> {
    let root = Path::new("/");
    let dirs = candidates(options, root)?;
    choose(dirs, existing, version_of)?.ok_or_else(|| {
        let os_release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        Error::NoBinaries {
            install: install_line(env::consts::OS, &os_release).to_owned(),
        }
    })
}

/// Returns the folders that contain both programs, in order of preference.
pub(super) fn candidates(options: &Options, root: &Path) -> Result<Vec<PathBuf>, Error> {
    if let Some(dir) = &options.bin_dir {
        return if has_both(dir) {
            Ok(vec![dir.clone()])
        } else {
            Err(Error::NotABinDir(dir.clone()))
        };
    }
    let on_path = options.search_path.iter().flat_map(env::split_paths);
    let usual = VERSIONED
        .iter()
        .flat_map(|(parent, prefix, rest)| versioned(&root.join(parent), prefix, rest))
        .chain([root.join("usr/local/pgsql/bin")]);
    let mut dirs = Vec::new();
    for dir in on_path.filter_map(|dir| real_dir(&dir)).chain(usual) {
        if has_both(&dir) && !dirs.contains(&dir) {
            dirs.push(dir);
        }
    }
    Ok(dirs)
}

/// Chooses the first version that matches an existing cluster, else the first that is new enough.
pub(super) fn choose(
    dirs: Vec<PathBuf>,
    existing: Option<u32>,
    version_of: impl Fn(&Path) -> Result<String, Error>,
) -> Result<Option<Binaries>, Error> {
    let mut first = None;
    let mut refused = None;
    for bin_dir in dirs {
        let version = match version_of(&bin_dir) {
            Ok(version) => version,
            Err(error) => {
                refused.get_or_insert(error);
                continue;
            }
        };
        let major = major_of(&version);
        if major < OLDEST_MAJOR {
            refused.get_or_insert(Error::TooOld { version, bin_dir });
            continue;
        }
        let found = Binaries {
            bin_dir,
            version,
            major,
        };
        if existing.is_none_or(|existing| existing == major) {
            return Ok(Some(found));
        }
        first.get_or_insert(found);
    }
    match (first, refused) {
        (None, Some(error)) => Err(error),
        (first, _) => Ok(first),
    }
}

/// Extracts the version from a line such as `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`.
pub(super) fn parse_version(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("(PostgreSQL) ")?;
    rest.split_whitespace()
        .next()
        .filter(|version| major_of(version) > 0)
}

/// Returns the command that installs Postgres on this system.
pub(super) fn install_line(os: &str, os_release: &str) -> &'static str {
    if os == "macos" {
        return "brew install postgresql";
    }
    let value_of = |key: &str| {
        os_release
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
            .map_or("", |value| value.trim_matches(['"', '\'']))
    };
    let ids = format!("{} {}", value_of("ID"), value_of("ID_LIKE"));
    ids.split_whitespace()
        .find_map(|id| match id {
            "debian" | "ubuntu" => Some("apt-get install -y postgresql"),
            "fedora" | "rhel" | "centos" => Some("dnf install -y postgresql-server"),
            "alpine" => Some("apk add postgresql"),
            "arch" => Some("pacman -S postgresql"),
            "suse" | "opensuse" => Some("zypper install -y postgresql-server"),
            _ => None,
        })
        .unwrap_or("with the package manager of this system, the package is named postgresql or postgresql-server")
}

fn version_of(bin_dir: &Path) -> Result<String, Error> {
    let postgres = bin_dir.join("postgres");
    let output = Command::new(&postgres)
        .arg("--version")
        .env_clear()
        .env("LC_ALL", "C")
        .output()
        .map_err(Error::io("run", &postgres))?;
    let line = String::from_utf8_lossy(&output.stdout);
    parse_version(&line).map(str::to_owned).ok_or_else(|| {
        let unreadable =
            std::io::Error::other(format!("unexpected output of --version: {:?}", line.trim()));
        Error::io("run", &postgres)(unreadable)
    })
}

/// Returns 0 without a number, which is older than any version.
fn major_of(version: &str) -> u32 {
    let digits = version.len()
        - version
            .trim_start_matches(|c: char| c.is_ascii_digit())
            .len();
    version[..digits].parse().unwrap_or(0)
}

/// Resolves links: `initdb` on `PATH` often links into the folder of all other programs.
fn real_dir(dir: &Path) -> Option<PathBuf> {
    let initdb = fs::canonicalize(dir.join("initdb")).ok()?;
    let real = initdb.parent()?;
    Some(if has_both(real) { real } else { dir }.to_path_buf())
}

fn has_both(dir: &Path) -> bool {
    dir.join("initdb").is_file() && dir.join("postgres").is_file()
}

/// Returns the folders named by a version, highest first.
fn versioned(parent: &Path, prefix: &str, rest: &str) -> Vec<PathBuf> {
    let number = |name: &OsStr| {
        let name = name.to_str()?.strip_prefix(prefix)?;
        Some(major_of(name)).filter(|&number| number > 0)
    };
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir(parent)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((number(&entry.file_name())?, entry.path().join(rest)))
        })
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, dir)| dir).collect()
}
