//! `PgBouncer` in front of the Postgres of the tests, with its own defaults.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use nix::unistd::geteuid;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tempfile::TempDir;

use super::process::{RunningProcess, wait_until};
use super::{database, scratch};

/// The password of `postgres` at the pooler. Postgres itself trusts its socket.
const PASSWORD: &str = "pooler-password";
/// The SCRAM secret of that password.
const SECRET: &str = "SCRAM-SHA-256$4096:bGVhdmVyLXRlc3Qtc2FsdA==$PHfYOi4ydEcWX3/iLcgiD4XeG6JgQYr98gATWzV1U6U=:nRUoepN1pY4zfM6rNn5tura1K47aLPKPDkDx8+CppIo=";

/// A running `PgBouncer` on a port of its own.
pub(crate) struct PgBouncer {
    process: RunningProcess,
    folder: TempDir,
    sockets: PathBuf,
    port: u16,
}

impl PgBouncer {
    /// Starts it with these lines of configuration besides the addresses.
    pub(crate) async fn start(lines: &str) -> Self {
        let sockets = database::postgres().await.base().join("sock");
        let folder = scratch::folder();
        // Another process may take a free port before it is used.
        for _ in 0..5 {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = free.local_addr().unwrap().port();
            drop(free);
            configure(folder.path(), &sockets, port, lines);
            let mut process = launch(folder.path(), &sockets);
            let mut is_running = true;
            wait_until("PgBouncer listens", || {
                is_running = process.is_running();
                !is_running || TcpStream::connect(("127.0.0.1", port)).is_ok()
            });
            if is_running {
                return Self {
                    process,
                    folder,
                    sockets,
                    port,
                };
            }
        }
        panic!("PgBouncer does not start; run .ci/ensure-servers");
    }

    /// Replaces its configuration while it runs, as `systemctl reload` does.
    pub(crate) fn reload(&self, lines: &str) {
        configure(self.folder.path(), &self.sockets, self.port, lines);
        self.process.signal(Signal::SIGHUP);
    }

    /// Ends it and its connections, and starts it with another configuration on the same port.
    pub(crate) fn restart(&mut self, lines: &str) {
        self.process.kill();
        configure(self.folder.path(), &self.sockets, self.port, lines);
        self.process = launch(self.folder.path(), &self.sockets);
        let port = self.port;
        wait_until("PgBouncer listens", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
    }

    /// Has the password itself in `auth_file` from now on, not its SCRAM secret.
    pub(crate) fn forget_secret(&self) {
        write_users(self.folder.path(), PASSWORD);
        self.process.signal(Signal::SIGHUP);
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Returns the URL of a database behind it.
    pub(crate) fn url(&self, database: &str) -> String {
        format!(
            "postgres://postgres:{PASSWORD}@127.0.0.1:{}/{database}",
            self.port
        )
    }

    /// Returns the options of a database behind it.
    pub(crate) fn to(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port)
            .username("postgres")
            .password(PASSWORD)
            .database(database)
            .ssl_mode(PgSslMode::Disable)
            // The test's own connections must be ones that PgBouncer accepts.
            .extra_float_digits(None)
    }
}

fn write_users(folder: &Path, secret: &str) -> PathBuf {
    let users = folder.join("users.txt");
    fs::write(&users, format!("\"postgres\" \"{secret}\"\n")).unwrap();
    users
}

fn configure(folder: &Path, sockets: &Path, port: u16, lines: &str) {
    let users = write_users(folder, SECRET);
    // `md5` is the default; a user with a SCRAM secret is asked for SCRAM.
    let text = format!(
        "[databases]\n* = host={} port=5432\n\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = md5\nauth_file = {}\n{lines}\n",
        sockets.display(),
        users.display(),
    );
    fs::write(folder.join("pgbouncer.ini"), text).unwrap();
}

/// Starts the program as the user of Postgres: it refuses to run as root, and only that user may enter the folder of the socket.
fn launch(folder: &Path, sockets: &Path) -> RunningProcess {
    let mut command = Command::new(program());
    command
        .arg(folder.join("pgbouncer.ini"))
        .env_clear()
        .current_dir("/");
    if geteuid().is_root() {
        let owner = fs::metadata(sockets).unwrap();
        command.uid(owner.uid()).gid(owner.gid());
    }
    RunningProcess::start(command)
}

/// Returns the program, which Debian keeps outside the usual `PATH`.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|folder: PathBuf| folder.join("pgbouncer"))
        .find(|program| program.is_file())
        .expect("no pgbouncer found; run .ci/ensure-servers")
}
