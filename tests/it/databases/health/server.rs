//! A Postgres of a test's own, which asks for passwords, may have standbys, and can be started as one.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use leaver::db::schema;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection};

use crate::support::database::{kept_in, start_postgres};
use crate::support::process::{WAIT_LIMIT, wait_until};
use crate::support::{TestApp, USERS, parts, scratch};

/// The first password of the role `service`.
pub(crate) const PASSWORD: &str = "correct-horse-battery";

/// A running server on a port of its own.
pub(crate) struct Server {
    port: u16,
    program: PathBuf,
    data: PathBuf,
    folder: tempfile::TempDir,
    process: Option<Child>,
}

impl Server {
    /// Starts it, with the role `service`, our tables and those of the application.
    pub(crate) async fn start() -> Self {
        let folder = scratch::folder();
        let embedded = start_postgres(kept_in(folder.path())).await;
        let program = fs::read_link(format!("/proc/{}/exe", embedded.pid())).unwrap();
        let major = embedded.version().split('.').next().unwrap().to_owned();
        tokio::task::spawn_blocking(move || embedded.stop().unwrap())
            .await
            .unwrap();
        let data = folder.path().join(format!("pg{major}"));
        fs::write(
            data.join("pg_hba.conf"),
            "local all all trust\nhost all all all scram-sha-256\n",
        )
        .unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut server = Self {
            port: free.local_addr().unwrap().port(),
            program,
            data,
            folder,
            process: None,
        };
        drop(free);
        server.run(&[]);
        let mut admin = server.admin().await;
        execute(&mut admin, USERS).await;
        schema::migrate(&mut admin).await.unwrap();
        execute(
            &mut admin,
            &format!(
                "CREATE ROLE service LOGIN PASSWORD '{PASSWORD}';
                 GRANT USAGE ON SCHEMA public TO service;
                 GRANT SELECT, UPDATE ON users TO service;
                 GRANT SELECT, DELETE ON sessions TO service"
            ),
        )
        .await;
        schema::grant_to(&mut admin, "service").await.unwrap();
        server
    }

    /// Starts the process with these settings, and waits until it accepts connections or refuses them for long.
    pub(crate) fn run(&mut self, settings: &[&str]) {
        let owner = fs::metadata(&self.data).unwrap();
        let mut command = Command::new(&self.program);
        command
            .arg("-D")
            .arg(&self.data)
            .arg("-k")
            .arg(self.folder.path().join("sock"))
            .args(["-p", &self.port.to_string()])
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/");
        for setting in settings {
            command.args(["-c", setting]);
        }
        if nix::unistd::geteuid().is_root() {
            command.uid(owner.uid()).gid(owner.gid());
        }
        self.process = Some(command.spawn().unwrap());
        let states = if settings.contains(&"hot_standby=off") {
            ["standby", "ready"]
        } else {
            ["ready", "ready"]
        };
        wait_until("Postgres is ready", || {
            let pid_file = fs::read_to_string(self.data.join("postmaster.pid")).unwrap_or_default();
            let state = pid_file.lines().nth(7).map(str::trim).unwrap_or_default();
            states.contains(&state)
        });
    }

    /// Stops the process, in order.
    pub(crate) fn stop(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        let pid = Pid::from_raw(i32::try_from(process.id()).unwrap());
        // It may have ended.
        let _ = kill(pid, Signal::SIGINT);
        process.wait().unwrap();
    }

    /// Makes the next start that of a standby.
    pub(crate) fn become_standby(&self) {
        let signal = self.data.join("standby.signal");
        fs::write(&signal, "").unwrap();
        let owner = fs::metadata(&self.data).unwrap();
        chown(&signal, Some(owner.uid()), Some(owner.gid())).unwrap();
    }

    /// Connects as the superuser.
    pub(crate) async fn admin(&self) -> PgConnection {
        self.admin_options().connect().await.unwrap()
    }

    fn admin_options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(self.folder.path().join("sock"))
            .port(self.port)
            .username("postgres")
            .database("postgres")
            .ssl_mode(PgSslMode::Disable)
    }

    /// Returns the URL of the role `service`.
    pub(crate) fn url(&self, password: &str) -> String {
        let port = self.port;
        format!("postgres://service:{password}@127.0.0.1:{port}/postgres?sslmode=disable")
    }

    /// Returns an app whose service connects as the role `service`.
    pub(crate) async fn app(&self, settings: &[(&str, &str)]) -> TestApp {
        let options: PgConnectOptions = self.url(PASSWORD).parse().unwrap();
        let mut app = TestApp::builder()
            .settings(settings)
            .on_server(self.url(PASSWORD), self.admin_options())
            .tables("")
            .build()
            .await;
        app.parts = parts(&app.settings, options, &app.clock);
        app.parts
            .liveness
            .enter(leaver::base::liveness::Phase::Ready);
        app
    }

    /// Runs SQL as the superuser, each statement by itself.
    pub(crate) async fn sql(&self, statements: &[&str]) {
        let mut admin = self.admin().await;
        // The session gets the defaults of the database, which a test may have set.
        execute(&mut admin, "SET default_transaction_read_only = off").await;
        for statement in statements {
            execute(&mut admin, statement).await;
        }
    }

    /// Runs one statement as the superuser of a standby.
    pub(crate) async fn sql_on_standby(&self, statement: &str) {
        execute(&mut self.admin().await, statement).await;
    }

    /// Ends all sessions of the role `service`, and waits until they have ended.
    pub(crate) async fn end_sessions(&self) {
        let mut admin = self.admin().await;
        let began = std::time::Instant::now();
        loop {
            let ended: i64 = sqlx::query_scalar(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'service'",
            )
            .fetch_one(&mut admin)
            .await
            .unwrap();
            if ended == 0 {
                return;
            }
            assert!(began.elapsed() < WAIT_LIMIT);
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn execute(conn: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(conn)
        .await
        .unwrap();
}
