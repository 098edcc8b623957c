//! Errors of the embedded Postgres, one variant per remedy.

use std::io;
use std::path::{Path, PathBuf};

/// The embedded Postgres did not start or stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No binaries were found.
    #[error(
        "no Postgres binaries found; install them ({install}), or set `PG_BINDIR` to the folder of initdb, or `DATABASE_URL` to a running server"
    )]
    NoBinaries {
        /// The command that installs Postgres on this system.
        install: String,
    },
    /// `PG_BINDIR` is wrong.
    #[error("`PG_BINDIR` is {}, which does not contain both initdb and postgres; correct it or unset it", .0.display())]
    NotABinDir(PathBuf),
    /// Only older versions were found.
    #[error(
        "Postgres {version} in {} is too old; install version {oldest} or newer",
        .bin_dir.display(),
        oldest = super::binaries::OLDEST_MAJOR
    )]
    TooOld {
        /// The version found.
        version: String,
        /// Its folder.
        bin_dir: PathBuf,
    },
    /// Another instance uses this folder.
    #[error("another instance is running in {}; stop it or use another folder", .base.display())]
    AlreadyRunning {
        /// The folder in use.
        base: PathBuf,
    },
    /// Postgres needs a user with a name, other than root.
    #[error("no user can run Postgres here ({0}); set `DATABASE_URL` to a running server")]
    NoUser(String),
    /// The path exceeds the system's limit for socket paths.
    #[error("the path {} is too long for a socket; choose a shorter one", .0.display())]
    SocketPathTooLong(PathBuf),
    /// `initdb` failed.
    #[error("initdb failed: {tail}")]
    InitFailed {
        /// The end of its output.
        tail: String,
    },
    /// The server exited early or did not become ready in time.
    #[error("Postgres did not start: {tail}; its log is {}", .log.display())]
    StartFailed {
        /// The path of its log.
        log: PathBuf,
        /// The end of its log.
        tail: String,
    },
    /// An I/O operation failed.
    #[error("cannot {what} {}", .path.display())]
    Io {
        /// The operation, as a verb.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}

impl Error {
    /// Adds the operation and the path to an I/O error.
    pub(super) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            what,
            path: path.to_path_buf(),
            source,
        }
    }
}

/// Returns the last lines of an output, for an error message.
pub(super) fn tail(output: &str) -> String {
    const LINES: usize = 8;
    let lines: Vec<&str> = output
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
