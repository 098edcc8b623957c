//! A Postgres for one test, which can be stopped, frozen or starved without harm to other tests.

use std::fs;
use std::path::{Path, PathBuf};

use embedded_postgres::{Embedded, Options};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};

use super::ledger::people;
use crate::support::database::{kept_in, start_postgres};
use crate::support::{TestApp, USERS, scratch};

/// A Postgres with a data folder that survives restarts.
pub(crate) struct OwnPostgres {
    home: tempfile::TempDir,
    bin_dir: Option<PathBuf>,
    running: Option<Embedded>,
}

impl OwnPostgres {
    /// Starts it with the usual binaries.
    pub(crate) async fn start() -> Self {
        Self::start_with(
            std::env::var_os("PG_BINDIR").map(Into::into),
            scratch::folder(),
        )
        .await
    }

    /// Starts it from other binaries or in another folder.
    pub(crate) async fn start_with(bin_dir: Option<PathBuf>, home: tempfile::TempDir) -> Self {
        let mut own = Self {
            home,
            bin_dir,
            running: None,
        };
        own.start_again().await;
        own
    }

    /// Starts it on the existing data folder.
    pub(crate) async fn start_again(&mut self) {
        let options = Options {
            bin_dir: self.bin_dir.clone(),
            ..kept_in(self.home.path())
        };
        self.running = Some(start_postgres(options).await);
    }

    /// Shuts it down immediately: no checkpoint, and open transactions are lost.
    pub(crate) async fn crash(&mut self) {
        self.signal(Signal::SIGQUIT);
        self.stop().await;
    }

    /// Shuts it down in order.
    pub(crate) async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            tokio::task::spawn_blocking(move || running.stop().unwrap())
                .await
                .unwrap();
        }
    }

    fn pid(&self) -> u32 {
        self.running.as_ref().unwrap().pid()
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid().cast_signed()), signal).unwrap();
    }

    /// Suspends all its processes until `thaw`.
    pub(crate) fn freeze(&self) {
        self.signal_family(Signal::SIGSTOP);
    }

    pub(crate) fn thaw(&self) {
        self.signal_family(Signal::SIGCONT);
    }

    fn signal_family(&self, signal: Signal) {
        let us = self.pid();
        self.signal(signal);
        for entry in fs::read_dir("/proc").unwrap() {
            let Ok(pid) = entry.unwrap().file_name().to_string_lossy().parse::<i32>() else {
                continue;
            };
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // After the name in brackets: the state, then the parent.
            let parent = stat.rsplit(')').next().unwrap_or_default();
            let parent = parent
                .split_whitespace()
                .nth(1)
                .unwrap_or_default()
                .to_owned();
            if parent == us.to_string() {
                // The process may have ended meanwhile.
                let _ = kill(Pid::from_raw(pid), signal);
            }
        }
    }

    pub(crate) fn options(&self) -> PgConnectOptions {
        self.running.as_ref().unwrap().connect_options("postgres")
    }

    pub(crate) async fn conn(&self) -> PgConnection {
        self.options().connect().await.unwrap()
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Returns the URL of its database.
    pub(crate) fn url(&self) -> String {
        self.running.as_ref().unwrap().url("postgres")
    }

    /// Returns an app on this server with this many users.
    pub(crate) async fn app(&self, count: usize) -> TestApp {
        TestApp::builder()
            .on_server(self.url(), self.options())
            .tables(&(USERS.to_owned() + &people(count)))
            .build()
            .await
    }

    /// Replaces the test's own connection, after a restart.
    pub(crate) async fn reconnect(&self, app: &mut TestApp) {
        app.session.conn = self.conn().await;
    }
}
