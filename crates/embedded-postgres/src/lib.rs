//! A private Postgres as a child process, for the demo, for `serve --embedded` and for the tests.
//!
//! Nothing has to be set up: the binaries are found, the cluster is made, and the server listens on
//! a unix socket in a closed folder and nowhere else. It never outlives us, also after a kill -9.
//! Nothing here knows what the service keeps in it, and nothing here is async: `start` and `stop`
//! block, so async callers use `spawn_blocking`.

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

/// The superuser of the cluster, and the only role it begins with.
const SUPERUSER: &str = "postgres";

/// Names the socket file. Said aloud on both sides, since clients would otherwise read `PGPORT`.
const PORT: u16 = 5432;

/// Where to look for the binaries and where to keep the cluster.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder that holds `initdb` and `postgres`, from `PG_BINDIR`. No other is tried then.
    pub bin_dir: Option<PathBuf>,
    /// The folders of `PATH`, looked through before the usual places.
    pub search_path: Option<OsString>,
    /// Whether the cluster is kept.
    pub home: DataDir,
}

/// Whether a cluster is kept, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataDir {
    /// In this folder, which is made when absent and found again at the next start.
    Persistent(PathBuf),
    /// In a fresh folder for temporary files that is removed on stop. When its owner was killed,
    /// the next throw-away start removes it.
    Ephemeral,
}

/// Where a kept cluster lives when nobody says otherwise: `/var/lib/leaver` for root, since the
/// server's own user cannot enter `/root`; else `leaver` in the state folder of the user.
#[must_use]
pub fn default_home(
    as_root: bool,
    xdg_state_home: Option<&OsStr>,
    home: Option<&OsStr>,
) -> PathBuf {
    // The XDG specification tells us to ignore a relative path.
    let absolute = |dir: Option<&OsStr>| dir.map(PathBuf::from).filter(|dir| dir.is_absolute());
    if as_root {
        return PathBuf::from("/var/lib/leaver");
    }
    absolute(xdg_state_home)
        .or_else(|| absolute(home).map(|home| home.join(".local/state")))
        .unwrap_or_else(|| PathBuf::from("/var/lib"))
        .join("leaver")
}

/// A running private Postgres. Dropping it stops it as well as it can; `stop` also tells how it went.
#[derive(Debug)]
pub struct Embedded {
    // The order matters to a drop: the server ends before its folder is removed and unlocked.
    server: Server,
    folder: Folder,
    version: String,
}

impl Embedded {
    /// Finds the binaries, makes the cluster when there is none, and starts it. Blocks, for about a
    /// second when the cluster is new.
    ///
    /// # Errors
    ///
    /// As the variants of [`Error`] say.
    pub fn start(options: &Options) -> Result<Self, Error> {
        RunAs::choose()?;
        let folder = Folder::claim(&options.home)?;
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

    /// How to connect to one of its databases, whatever the `PG…` variables say of others.
    #[must_use]
    pub fn connect_options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(self.folder.sockets())
            .port(PORT)
            .username(SUPERUSER)
            .database(database)
            .ssl_mode(PgSslMode::Disable)
    }

    /// The same as a URL that both `psql` and sqlx understand.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        url(&self.folder.sockets(), database)
    }

    /// The process id of the server.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// The folder that holds the cluster, its socket, its log and its lock.
    #[must_use]
    pub fn base(&self) -> &Path {
        self.folder.path()
    }

    /// The version of the binaries, such as `15.14`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether the last run ended in a crash, which this start recovered from.
    #[must_use]
    pub fn recovered(&self) -> bool {
        self.server.recovered()
    }

    /// Stops the server, and removes a throw-away folder. Blocks until both are done.
    ///
    /// # Errors
    ///
    /// `Io` when the server does not end even when killed, or when the folder cannot be removed.
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

/// Form encoding would not do: libpq does not read a `+` as a space.
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
    reason = "a test that cannot go on shall say where"
)]
mod tests;
