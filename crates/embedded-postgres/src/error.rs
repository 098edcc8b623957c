//! Why there is no embedded Postgres, by what somebody can do about it.

use std::io;
use std::path::{Path, PathBuf};

/// Why the embedded Postgres did not start or stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing to run: install it, or point us to it.
    #[error(
        "found no Postgres to run: install it ({install}), or name the folder of its initdb in PG_BINDIR, or a running server in DATABASE_URL"
    )]
    NoBinaries {
        /// The one line that installs it on this system.
        install: String,
    },
    /// `PG_BINDIR` is set, and wrong.
    #[error("PG_BINDIR names {}, which does not hold both initdb and postgres", .0.display())]
    NotABinDir(PathBuf),
    /// What there is cannot be used: install a newer one.
    #[error(
        "Postgres {version} in {} is too old: it takes version {oldest} or newer",
        .bin_dir.display(),
        oldest = super::binaries::OLDEST_MAJOR
    )]
    TooOld {
        /// The version that was found.
        version: String,
        /// Where it was found.
        bin_dir: PathBuf,
    },
    /// Another instance has this folder: stop it, or use another folder.
    #[error("another instance is already running in {}", .base.display())]
    AlreadyRunning {
        /// The folder that is taken.
        base: PathBuf,
    },
    /// Postgres asks the system for the name of the user it runs as, and there is none.
    #[error("no user here can run Postgres ({0}): use a running server through DATABASE_URL")]
    NoUser(String),
    /// The system limits how long the path of a socket may be: use a shorter folder.
    #[error("the path {} is too long for a socket: choose a shorter one", .0.display())]
    SocketPathTooLong(PathBuf),
    /// `initdb` refused, and said why.
    #[error("initdb failed: {tail}")]
    InitFailed {
        /// The end of what it wrote.
        tail: String,
    },
    /// The server ended before it was ready, or never became ready.
    #[error("Postgres did not start, see {}: {tail}", .log.display())]
    StartFailed {
        /// Its log.
        log: PathBuf,
        /// The end of it.
        tail: String,
    },
    /// The system refused something.
    #[error("cannot {what} {}", .path.display())]
    Io {
        /// What was tried, as a verb.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    /// Gives an I/O error the verb and the path that it lacks.
    pub(super) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            what,
            path: path.to_path_buf(),
            source,
        }
    }
}

/// The last lines of an output, for an error message.
pub(super) fn tail(output: &str) -> String {
    const LINES: usize = 8;
    let lines: Vec<&str> = output
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
