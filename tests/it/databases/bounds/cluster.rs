//! A primary and a standby of the test's own.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, chown, geteuid};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions, PgConnection};
use tempfile::TempDir;

use crate::support::process::wait_until;
use crate::support::scratch;

/// One server. It ends with the test.
pub(super) struct Server {
    data: PathBuf,
    sockets: PathBuf,
    child: Option<Child>,
}

/// A primary, and a standby that is a copy of it.
pub(super) struct Cluster {
    pub(super) primary: Server,
    pub(super) standby: Server,
    _folder: TempDir,
}

impl Cluster {
    /// Starts a primary whose commits wait for its standby, which runs.
    pub(super) async fn start() -> Self {
        let folder = scratch::folder();
        let primary = Server::in_folder(&folder.path().join("primary"));
        run(
            "initdb",
            &[
                "-U",
                "postgres",
                "--auth=trust",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
            ],
            &["-D", path(&primary.data)],
        );
        let mut cluster = Self {
            standby: Server::in_folder(&folder.path().join("standby")),
            primary,
            _folder: folder,
        };
        cluster.primary.start().await;
        let sockets = path(&cluster.primary.sockets).to_owned();
        run(
            "pg_basebackup",
            &["-U", "postgres", "-R", "-c", "fast", "-h", &sockets],
            &["-D", path(&cluster.standby.data)],
        );
        cluster.standby.start().await;
        let mut admin = cluster.primary.connect().await;
        execute(
            &mut admin,
            "ALTER SYSTEM SET synchronous_standby_names = '*'",
        )
        .await;
        execute(&mut admin, "SELECT pg_reload_conf()").await;
        cluster
    }
}

impl Server {
    fn in_folder(folder: &Path) -> Self {
        let server = Self {
            data: folder.join("data"),
            sockets: folder.join("sockets"),
            child: None,
        };
        for folder in [folder, &server.sockets] {
            std::fs::create_dir(folder).unwrap();
            if let Some(user) = user() {
                chown(folder, Some(user.uid), Some(user.gid)).unwrap();
            }
        }
        server
    }

    /// Starts it, and waits until it answers.
    pub(super) async fn start(&mut self) {
        let mut command = program("postgres");
        command.args(["-D", path(&self.data), "-k", path(&self.sockets)]);
        for setting in [
            "listen_addresses=",
            "fsync=off",
            "max_connections=40",
            "logging_collector=off",
        ] {
            command.args(["-c", setting]);
        }
        self.child = Some(command.spawn().unwrap());
        while self.options("postgres").connect().await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Ends it at once, and waits for that.
    pub(super) fn stop(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGQUIT).unwrap();
        wait_until("the server has ended", || {
            child.try_wait().unwrap().is_some()
        });
    }

    pub(super) fn options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.sockets)
            .username("postgres")
            .database(database)
            .ssl_mode(PgSslMode::Disable)
    }

    pub(super) async fn connect(&self) -> PgConnection {
        self.options("postgres").connect().await.unwrap()
    }

    pub(super) fn url(&self, database: &str) -> String {
        let host = path(&self.sockets).replace('/', "%2F");
        format!("postgres://postgres@localhost/{database}?host={host}")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGQUIT);
            let _ = child.wait();
        }
    }
}

pub(super) async fn execute(conn: &mut PgConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(conn).await.unwrap();
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The user that runs the servers, if it is another one: Postgres refuses to run as root.
fn user() -> Option<User> {
    geteuid().is_root().then(|| {
        let name = |name| User::from_name(name).unwrap();
        name("postgres").or_else(|| name("nobody")).unwrap()
    })
}

fn program(name: &str) -> Command {
    let folder = std::env::var_os("PG_BINDIR").map(PathBuf::from);
    let mut command = Command::new(folder.unwrap_or_else(newest).join(name));
    command
        .current_dir("/")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Some(user) = user() {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command
}

/// The programs of the newest Postgres of the system, which has `pg_basebackup`.
fn newest() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").unwrap();
    let newest = versions.map(|entry| entry.unwrap().path()).max();
    newest.unwrap().join("bin")
}

fn run(name: &str, options: &[&str], more: &[&str]) {
    let status = program(name).args(options).args(more).status().unwrap();
    assert!(status.success(), "{name}: {status}");
}
