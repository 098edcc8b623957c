//! From nothing to the first deactivated user: `init`, `config`, completions, man pages.

mod asking;
mod files;
mod init;
mod pages;
mod readme;
mod schema;
mod show;
mod tables;

use std::path::{Path, PathBuf};
use std::process::Command;

use sqlx::postgres::PgConnectOptions;
use tempfile::TempDir;

use crate::support::database::{Database, Session, empty_database, postgres};
use crate::support::process::{CommandOutput, RunningProcess, command};
use crate::support::{USERS, scratch};

/// A password in the URL of the database. The server of the tests needs none.
const PASSWORD: &str = "hunter2-of-the-database";

/// An empty folder, and a database of the application.
struct Fresh {
    folder: TempDir,
    url: String,
    options: PgConnectOptions,
    _database: Database,
}

impl Fresh {
    /// Makes a database with these tables.
    async fn with(tables: &str) -> Self {
        let (options, database) = empty_database().await;
        if !tables.is_empty() {
            Session::open(&options).await.sql(tables).await;
        }
        let url = postgres().await.url(&database.name);
        Self {
            folder: scratch::folder(),
            url: url.replacen("@localhost", &format!(":{PASSWORD}@localhost"), 1),
            options,
            _database: database,
        }
    }

    /// Makes a database with users and sessions.
    async fn with_users() -> Self {
        let people = "INSERT INTO users (email) VALUES ('ana@example.com'), ('ben@example.com');
            INSERT INTO sessions (user_id) SELECT id FROM users;";
        Self::with(&format!("{USERS}{people}")).await
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    async fn session(&self) -> Session {
        Session::open(&self.options).await
    }

    /// Returns a command that runs in the folder.
    fn command(&self, args: &[&str], env: &[(&str, &str)]) -> Command {
        let mut command = command(args, env);
        command.current_dir(self.folder.path());
        command
    }

    /// Runs a command in the folder, without any variable.
    fn run(&self, args: &[&str]) -> CommandOutput {
        RunningProcess::start(self.command(args, &[])).wait()
    }

    /// Runs `leaver init --yes` on the database.
    fn init(&self, args: &[&str]) -> CommandOutput {
        let args = [&["init", "--yes"], args].concat();
        let env = [("DATABASE_URL", self.url.as_str()), ("TZ", "UTC")];
        RunningProcess::start(self.command(&args, &env)).wait()
    }
}

/// Returns the permission bits of a path.
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}
