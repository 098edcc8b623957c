//! Servers of one test: a primary, and a standby that follows it.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use embedded_postgres::Options;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tempfile::TempDir;

use crate::support::database::{Session, kept_in, start_postgres};
use crate::support::process::wait_until;
use crate::support::scratch;

/// Settings of every node. Nothing is flushed to the disk, since no test takes the power away. A standby needs as many
/// connections as the server that made its data had.
const SETTINGS: [&str; 6] = [
    "listen_addresses=127.0.0.1",
    "fsync=off",
    "wal_level=replica",
    "max_wal_senders=8",
    "hot_standby=on",
    "max_connections=300",
];

/// A server with a socket and a port on loopback. Everyone on this machine may connect.
pub(super) struct Node {
    pub(super) port: u16,
    program: PathBuf,
    folder: TempDir,
    data: PathBuf,
    process: Option<Child>,
}

impl Node {
    /// Makes a cluster with these binaries, or the usual ones. It does not run yet.
    pub(super) async fn create(bin_dir: Option<PathBuf>) -> Self {
        let folder = scratch::folder();
        let usual = kept_in(folder.path());
        let options = Options {
            bin_dir: bin_dir.or(usual.bin_dir.clone()),
            ..usual
        };
        let embedded = start_postgres(options).await;
        let program = fs::read_link(format!("/proc/{}/exe", embedded.pid())).unwrap();
        let major = embedded.version().split('.').next().unwrap().to_owned();
        tokio::task::spawn_blocking(move || embedded.stop().unwrap())
            .await
            .unwrap();
        let data = folder.path().join(format!("pg{major}"));
        let rules =
            "local all all trust\nlocal replication all trust\nhost all all 127.0.0.1/32 trust\n";
        fs::write(data.join("pg_hba.conf"), rules).unwrap();
        Self {
            port: free_port(),
            program,
            folder,
            data,
            process: None,
        }
    }

    /// Copies a stopped server as a standby of it.
    pub(super) fn standby(&self) -> Self {
        assert!(self.process.is_none(), "a copy of a running server");
        let folder = scratch::folder();
        let copied = Command::new("cp")
            .args(["-a", "--"])
            .arg(self.folder.path().join("."))
            .arg(folder.path())
            .status();
        assert!(copied.unwrap().success());
        let data = folder.path().join(self.data.file_name().unwrap());
        fs::write(data.join("standby.signal"), "").unwrap();
        let sockets = self.sockets();
        let follow = format!(
            "primary_conninfo = 'host={} port={} user=postgres application_name=standby'\n",
            sockets.display(),
            self.port
        );
        let auto = data.join("postgresql.auto.conf");
        let settings = fs::read_to_string(&auto).unwrap_or_default() + &follow;
        fs::write(&auto, settings).unwrap();
        let owner = fs::metadata(&data).unwrap();
        for file in [data.join("standby.signal"), auto] {
            chown(&file, Some(owner.uid()), Some(owner.gid())).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        }
        Self {
            port: free_port(),
            program: self.program.clone(),
            folder,
            data,
            process: None,
        }
    }

    /// Starts it, and waits until it accepts connections.
    pub(super) fn start(&mut self) {
        let owner = fs::metadata(&self.data).unwrap();
        let mut command = Command::new(&self.program);
        command.arg("-D").arg(&self.data);
        command.arg("-k").arg(self.sockets());
        command.args(["-p", &self.port.to_string()]);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.current_dir("/");
        if nix::unistd::geteuid().is_root() {
            command.uid(owner.uid()).gid(owner.gid());
        }
        let pid_file = self.data.join("postmaster.pid");
        // Left by a crash.
        let _ = fs::remove_file(&pid_file);
        self.process = Some(command.spawn().unwrap());
        wait_until("Postgres accepts connections", || {
            let text = fs::read_to_string(&pid_file).unwrap_or_default();
            let status = text.lines().nth(7).map(str::trim).unwrap_or_default();
            matches!(status, "ready" | "standby")
        });
    }

    /// Shuts it down immediately, as a crash would.
    pub(super) fn crash(&mut self) {
        self.end(Signal::SIGQUIT);
    }

    fn end(&mut self, signal: Signal) {
        if let Some(mut process) = self.process.take() {
            let pid = Pid::from_raw(i32::try_from(process.id()).unwrap());
            // It may have ended.
            let _ = kill(pid, signal);
            process.wait().unwrap();
        }
    }

    /// Returns the folder of its socket.
    pub(super) fn sockets(&self) -> PathBuf {
        self.folder.path().join("sock")
    }

    pub(super) fn options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(self.sockets())
            .port(self.port)
            .username("postgres")
            .database("postgres")
            .ssl_mode(PgSslMode::Disable)
    }

    pub(super) async fn session(&self) -> Session {
        Session::open(&self.options()).await
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.end(Signal::SIGQUIT);
    }
}

/// A primary, and a standby for which each commit waits.
pub(super) struct Pair {
    pub(super) primary: Node,
    pub(super) standby: Node,
}

impl Pair {
    /// Starts both, with these binaries or the usual ones.
    pub(super) async fn start(bin_dir: Option<PathBuf>) -> Self {
        let mut primary = Node::create(bin_dir).await;
        let mut standby = primary.standby();
        primary.start();
        standby.start();
        let mut session = primary.session().await;
        let wait = "ALTER SYSTEM SET synchronous_standby_names = 'standby'";
        session.sql(wait).await;
        session.sql("SELECT pg_reload_conf()").await;
        let waits = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        session.wait_for_count(1, waits).await;
        Self { primary, standby }
    }

    /// Returns the URL of both on loopback, the standby first.
    pub(super) fn url(&self, parameters: &str) -> String {
        let (standby, primary) = (self.standby.port, self.primary.port);
        format!("postgres://postgres@127.0.0.1:{standby},127.0.0.1:{primary}/postgres?{parameters}")
    }

    /// Stops the primary as a crash would, and promotes the standby.
    pub(super) async fn fail_over(&mut self) {
        self.primary.crash();
        let mut session = self.standby.session().await;
        session
            .sql("ALTER SYSTEM RESET synchronous_standby_names")
            .await;
        session.sql("SELECT pg_reload_conf()").await;
        session.sql("SELECT pg_promote()").await;
    }
}

/// Returns a port that is free now.
pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
