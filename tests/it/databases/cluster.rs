//! Servers of a test's own: a primary, copies of it as standbys, and restores from its archive.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use leaver::db::schema;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions};

use crate::support::database::{Session, kept_in, start_postgres};
use crate::support::process::wait_until;
use crate::support::{TestApp, USERS, scratch};

const HBA: &str = "
local all         all              trust
host  all         all 127.0.0.1/32 trust
host  replication all 127.0.0.1/32 trust
";

/// A server with a port and a data folder of its own.
pub(crate) struct Node {
    pub(crate) port: u16,
    folder: tempfile::TempDir,
    program: PathBuf,
    process: Option<Child>,
}

/// Returns a free port.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

impl Node {
    /// Makes a stopped server whose database `postgres` has the users table, our tables and this many users.
    pub(crate) async fn stopped(users: usize) -> Self {
        let folder = scratch::folder();
        let embedded = start_postgres(kept_in(folder.path())).await;
        let program = fs::read_link(format!("/proc/{}/exe", embedded.pid())).unwrap();
        let major = embedded.version().split('.').next().unwrap().to_owned();
        let mut conn = embedded
            .connect_options("postgres")
            .connect()
            .await
            .unwrap();
        let tables = format!(
            "{USERS}; INSERT INTO users (email) SELECT 'p' || n || '@example.com' FROM generate_series(1, {users}) n"
        );
        sqlx::raw_sql(AssertSqlSafe(tables))
            .execute(&mut conn)
            .await
            .unwrap();
        schema::migrate(&mut conn).await.unwrap();
        drop(conn);
        tokio::task::spawn_blocking(move || embedded.stop().unwrap())
            .await
            .unwrap();
        let made = Self {
            port: free_port(),
            folder,
            program,
            process: None,
        };
        fs::rename(made.folder.path().join(format!("pg{major}")), made.data()).unwrap();
        fs::write(made.data().join("pg_hba.conf"), HBA).unwrap();
        made
    }

    /// Returns a stopped copy of this stopped server.
    pub(crate) fn copy(&self) -> Self {
        assert!(self.process.is_none(), "a running server cannot be copied");
        let folder = scratch::folder();
        let copied = Command::new("cp")
            .arg("-a")
            .args([
                self.folder.path().join("data"),
                self.folder.path().join("sock"),
            ])
            .arg(folder.path())
            .status();
        assert!(copied.unwrap().success());
        Self {
            port: free_port(),
            folder,
            program: self.program.clone(),
            process: None,
        }
    }

    /// Returns a folder that the server's own user can write.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir(&path).unwrap();
        self.give(&path);
        path
    }

    fn give(&self, path: &Path) {
        let owner = fs::metadata(self.data()).unwrap();
        chown(path, Some(owner.uid()), Some(owner.gid())).unwrap();
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Writes a file into the data folder, `standby.signal` for example.
    pub(crate) fn signal_file(&self, name: &str) {
        let path = self.data().join(name);
        fs::write(&path, "").unwrap();
        self.give(&path);
    }

    /// Starts it with these settings, and waits until it is ready.
    pub(crate) fn start(&mut self, settings: &[&str]) {
        let mut command = Command::new(&self.program);
        command.arg("-D").arg(self.data());
        command.arg("-k").arg(self.folder.path().join("sock"));
        command.args([
            "-p",
            &self.port.to_string(),
            "-c",
            "listen_addresses=127.0.0.1",
        ]);
        let usual = [
            "wal_level=replica",
            // As the cluster was made: a standby may not have fewer.
            "max_connections=300",
            "max_wal_senders=8",
            "fsync=off",
            "full_page_writes=on",
        ];
        for setting in usual.iter().chain(settings) {
            command.args(["-c", setting]);
        }
        let log = fs::File::create(self.folder.path().join("log")).unwrap();
        command.stdout(Stdio::null()).stderr(log).current_dir("/");
        let owner = fs::metadata(self.data()).unwrap();
        if geteuid().is_root() {
            command.uid(owner.uid()).gid(owner.gid());
        }
        self.process = Some(command.spawn().unwrap());
        let pid_file = self.data().join("postmaster.pid");
        wait_until("Postgres is ready", || {
            let text = fs::read_to_string(&pid_file).unwrap_or_default();
            let state = text.lines().nth(7).map(str::trim);
            if let Some(process) = &mut self.process
                && let Some(status) = process.try_wait().unwrap()
            {
                panic!(
                    "{status}: {}",
                    fs::read_to_string(self.folder.path().join("log")).unwrap()
                );
            }
            matches!(state, Some("ready" | "standby"))
        });
    }

    /// Starts it as a standby of another one, under this name.
    pub(crate) fn follow(&mut self, primary: &Self, name: &str, settings: &[&str]) {
        self.signal_file("standby.signal");
        let from = format!(
            "primary_conninfo=host=127.0.0.1 port={} user=postgres application_name={name}",
            primary.port
        );
        let mut all = vec![from.as_str(), "wal_receiver_status_interval=1s"];
        all.extend(settings);
        self.start(&all);
    }

    /// Ends it: SIGINT in order, SIGQUIT as a crash.
    pub(crate) fn end(&mut self, signal: Signal) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        let pid = Pid::from_raw(i32::try_from(process.id()).unwrap());
        // It may have ended.
        let _ = kill(pid, signal);
        process.wait().unwrap();
    }

    pub(crate) fn options(&self) -> PgConnectOptions {
        options(self.port)
    }

    pub(crate) async fn session(&self) -> Session {
        Session::open(&self.options()).await
    }

    /// Promotes it and waits until it accepts writes.
    pub(crate) async fn promote(&self) {
        let mut session = self.session().await;
        assert_eq!(session.count("SELECT pg_promote()::int::bigint").await, 1);
    }

    /// Returns an app on it.
    pub(crate) async fn app(&self, settings: &[(&str, &str)]) -> TestApp {
        app(self.port, settings).await
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.end(Signal::SIGQUIT);
    }
}

/// Returns the options of a server on this port.
pub(crate) fn options(port: u16) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(port)
        .username("postgres")
        .database("postgres")
        .ssl_mode(PgSslMode::Disable)
}

/// Returns an app on a server, or a proxy, on this port.
pub(crate) async fn app(port: u16, settings: &[(&str, &str)]) -> TestApp {
    let url = format!("postgres://postgres@127.0.0.1:{port}/postgres?sslmode=disable");
    TestApp::builder()
        .on_server(url, options(port))
        .tables("SELECT 1")
        .settings(settings)
        .build()
        .await
}

/// Starts a primary with one standby that streams from it, named `b`.
pub(crate) async fn pair(users: usize, settings: &[&str], of_standby: &[&str]) -> (Node, Node) {
    let mut primary = Node::stopped(users).await;
    let mut standby = primary.copy();
    primary.start(settings);
    standby.follow(&primary, "b", of_standby);
    let streaming = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'";
    primary.session().await.wait_for_count(1, streaming).await;
    (primary, standby)
}
