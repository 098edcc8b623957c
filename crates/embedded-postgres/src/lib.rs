//! A private Postgres server as a child process, for the demo, `serve --embedded` and the tests.
//!
//! It needs no setup: it finds the binaries, creates a cluster and listens only on a unix socket in a private folder. The
//! server ends with its parent process, also after a kill -9. Nothing here is async: `start` and `stop` block, so async
//! callers use `spawn_blocking`.

mod binaries;
mod child;
mod cluster;
mod error;
mod folder;
mod run_as;
mod server;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use sqlx::postgres::{PgConnectOptions, PgSslMode};

pub use error::Error;

use folder::Folder;
use run_as::RunAs;
use server::Server;

/// The superuser, the only role of a new cluster.
const SUPERUSER: &str = "postgres";

/// Part of the name of the socket file. Set explicitly for server and clients, which would otherwise read `PGPORT`.
const PORT: u16 = 5432;

/// Where to find the binaries and where to store the cluster.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of `initdb` and `postgres`, from `PG_BINDIR`. If set, no other folder is tried.
    pub bin_dir: Option<PathBuf>,
    /// The folders of `PATH`, searched before the usual places.
    pub search_path: Option<OsString>,
    /// The folder of the cluster.
    pub data_dir: DataDir,
}

/// The folder of a cluster, and whether it outlives the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataDir {
    /// This folder. It is created if missing and used again at the next start.
    Persistent(PathBuf),
    /// A new temporary folder, removed on stop. If the owner was killed, the next ephemeral start removes it.
    Ephemeral,
}

/// Returns the default folder of a persistent cluster: `/var/lib/leaver` for root, since the server's own user cannot enter
/// `/root`, else `leaver` in the user's state folder.
#[must_use]
pub fn default_data_dir(
    as_root: bool,
    xdg_state_home: Option<&OsStr>,
    home: Option<&OsStr>,
) -> PathBuf {
    // The XDG base directory specification requires that relative paths are ignored.
    let absolute = |dir: Option<&OsStr>| dir.map(PathBuf::from).filter(|dir| dir.is_absolute());
    if as_root {
        return PathBuf::from("/var/lib/leaver");
    }
    absolute(xdg_state_home)
        .or_else(|| absolute(home).map(|home| home.join(".local/state")))
        .unwrap_or_else(|| PathBuf::from("/var/lib"))
        .join("leaver")
}

/// A running private Postgres. Dropping it stops the server; `stop` also returns errors.
#[derive(Debug)]
pub struct Embedded {
    // Fields drop in this order: the server must end before its folder is removed and unlocked.
    server: Server,
    folder: Folder,
    version: String,
}

impl Embedded {
    /// Finds the binaries, creates the cluster if there is none, and starts the server. Blocks, for about a second if the
    /// cluster is new.
    ///
    /// # Errors
    ///
    /// Returns an [`Error`]; each variant names what to do. No server is left running.
    pub fn start(options: &Options) -> Result<Self, Error> {
        RunAs::choose()?;
        let folder = Folder::claim(&options.data_dir)?;
        let binaries = binaries::find(options, cluster::newest_in(&folder))?;
        cluster::warn_of_others(&folder, binaries.major);
        let data = cluster::prepare(&folder, &binaries)?;
        let run_as = RunAs::owner_of(&data)?;
        let sockets = folder.sockets();
        run_as.own_folder(&sockets)?;
        let server = Server::start(&server::Launch {
            postgres: &binaries.postgres(),
            data: &data,
            sockets: &sockets,
            log: &folder.path().join("postgres.log"),
            run_as,
        })?;
        Ok(Self {
            server,
            folder,
            version: binaries.version,
        })
    }

    /// Returns the options to connect to one of its databases, independent of `PG…` variables.
    #[must_use]
    pub fn connect_options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(self.folder.sockets())
            .port(PORT)
            .username(SUPERUSER)
            .database(database)
            .ssl_mode(PgSslMode::Disable)
    }

    /// Returns the same as a URL for `psql` and sqlx.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        url(&self.folder.sockets(), database)
    }

    /// Returns the process id of the server.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Returns the folder of the cluster, its socket, its log and its lock file.
    #[must_use]
    pub fn base(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the version of the binaries, such as `15.14`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Returns whether this start recovered from a crash.
    #[must_use]
    pub fn recovered(&self) -> bool {
        self.server.recovered()
    }

    /// Stops the server and removes an ephemeral folder. Blocks until both are done.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Io`] if the server survives SIGKILL or the folder cannot be removed.
    pub fn stop(self) -> Result<(), Error> {
        self.server.stop()?;
        self.folder.release()
    }
}

fn url(sockets: &Path, database: &str) -> String {
    format!(
        "postgres://{SUPERUSER}@localhost:{PORT}/{}?host={}&sslmode=disable",
        percent_encoded(database.as_bytes()),
        percent_encoded(sockets.as_os_str().as_encoded_bytes()),
    )
}

// Form encoding does not work here: libpq does not decode `+` as a space.
fn percent_encoded(bytes: &[u8]) -> String {
    let encoded = |&byte: &u8| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    bytes.iter().map(encoded).collect()
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a failed setup step should fail the test where it stands"
)]
mod tests;
