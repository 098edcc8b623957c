//! The real binary, with the environment variables of a test and no others.

use std::fs::File;
use std::ops::{Deref, DerefMut};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, geteuid};
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use tempfile::TempDir;

use super::database::{Database, Session, empty_database, postgres};
use super::{BAMBOOHR_KEY, MERGE_KEY, scratch};

/// Time limit for anything that a test waits for. It is long because CI machines are shared.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// The program.
pub(crate) const LEAVER: &str = env!("CARGO_BIN_EXE_leaver");

/// What a command said and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    /// Its exit code; none when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// What it printed, as the one JSON value that it must be.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The same, when it must have gone well.
    #[track_caller]
    pub(crate) fn good(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self
    }

    /// Expects exit code 1 (findings) and these words on stdout.
    #[track_caller]
    pub(crate) fn findings(self, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(1), "{self:#?}");
        for word in words {
            assert!(self.out.contains(word), "no {word:?} in {self:#?}");
        }
        self
    }

    /// Expects exit code 3 (could not be done) and these words on stderr.
    #[track_caller]
    pub(crate) fn failed(self, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(3), "{self:#?}");
        for word in words {
            assert!(self.err.contains(word), "no {word:?} in {self:#?}");
        }
        self
    }
}

/// A process that ends with the test.
pub(crate) struct Running {
    child: Child,
    folder: TempDir,
}

impl Running {
    /// Starts a program whose output goes to files, so that it never waits for a reader.
    pub(crate) fn start(mut command: Command) -> Self {
        let folder = scratch::folder();
        let file = |name| File::create(folder.path().join(name)).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(file("out"))
            .stderr(file("err"))
            .spawn()
            .unwrap();
        Self { child, folder }
    }

    pub(crate) fn out(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("out")).unwrap()
    }

    pub(crate) fn err(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("err")).unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    #[cfg(feature = "failpoints")]
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// As `kill -9` does it.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> Said {
        let mut status = None;
        until("the process has ended", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        Said {
            code: status.unwrap().code(),
            out: self.out(),
            err: self.err(),
        }
    }

    /// Waits until it has said something on either stream.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, words: &str) {
        until(words, || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("ended with {status}: {}{}", self.out(), self.err());
            }
            self.err().contains(words) || self.out().contains(words)
        });
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Polls, since what we wait for happens in another process.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain until: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The program with these variables, and `PATH`, by which it finds Postgres.
pub(crate) fn command(args: &[&str], env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(LEAVER);
    command.args(args).env_clear();
    for name in ["PATH", "PG_BINDIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.envs(env.iter().copied());
    command
}

/// Returns the same command run by a user who is not root, from a copy: the checkout may be closed to that user.
pub(crate) fn as_ordinary_user(args: &[&str], env: &[(&str, &str)]) -> Command {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let ours = command(args, env);
    if !geteuid().is_root() {
        return ours;
    }
    let program = PROGRAM.get_or_init(|| {
        let folder = scratch::until_process_ends(scratch::folder_for_programs());
        let program = folder.join("leaver");
        std::fs::copy(LEAVER, &program).unwrap();
        program
    });
    let nobody = User::from_name("nobody").unwrap().unwrap();
    let mut theirs = Command::new(program);
    theirs.args(ours.get_args()).env_clear();
    theirs.envs(
        ours.get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    theirs
        .uid(nobody.uid.as_raw())
        .gid(nobody.gid.as_raw())
        .current_dir("/");
    theirs
}

/// Runs a command to its end.
#[track_caller]
pub(crate) fn leaver(args: &[&str], env: &[(&str, &str)]) -> Said {
    Running::start(command(args, env)).ended()
}

/// An application's database, and what the program must know to look after it.
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) session: Session,
    folder: TempDir,
    database: Option<Database>,
}

impl Deref for Place {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl DerefMut for Place {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.session
    }
}

impl Place {
    /// A database of its own with the application's tables.
    pub(crate) async fn new(tables: &str) -> Self {
        let (options, database) = empty_database().await;
        let mut place = Self::over(&postgres().await.url(&database.name), &options).await;
        place.database = Some(database);
        place.sql(tables).await;
        place
    }

    /// A database that is there already.
    pub(crate) async fn over(url: &str, options: &PgConnectOptions) -> Self {
        Self {
            url: url.to_owned(),
            session: Session::open(options).await,
            folder: scratch::folder(),
            database: None,
        }
    }

    /// The usual variables, with others beside or instead of them. An empty name is left out.
    pub(crate) fn env<'a>(&'a self, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let mut env = vec![
            ("DATABASE_URL", self.url.as_str()),
            ("BAMBOOHR_WEBHOOK_SECRET", BAMBOOHR_KEY),
            ("MERGE_WEBHOOK_SECRET", MERGE_KEY),
            ("LEAVER_LISTEN", "127.0.0.1:0"),
            ("LEAVER_ADMIN_LISTEN", "127.0.0.1:0"),
            (
                "LEAVER__ACCOUNTS__END_SESSIONS",
                r#"["DELETE FROM sessions WHERE user_id::text = ANY($1)"]"#,
            ),
        ];
        env.retain(|(name, _)| more.iter().all(|(other, _)| name != other));
        env.extend(more);
        env
    }

    /// Runs a command on it.
    #[track_caller]
    pub(crate) fn leaver(&self, args: &[&str]) -> Said {
        leaver(args, &self.env(&[]))
    }

    /// Starts the service on it, and waits until it takes deliveries.
    #[track_caller]
    pub(crate) fn serve(&self, more: &[(&str, &str)]) -> Served {
        let mut served = Served::start(&self.env(more));
        served.wait_until_ready();
        served
    }

    /// A file of this test's.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Waits until nothing is left to process.
    pub(crate) async fn settled(&mut self) {
        self.comes_to(
            0,
            "SELECT count(*) FROM leaver.deliveries WHERE state = 'pending'",
        )
        .await;
    }
}

/// A running service.
pub(crate) struct Served {
    pub(crate) process: Running,
    /// Where it takes webhooks.
    pub(crate) url: String,
    /// Where it serves API, metrics and health.
    pub(crate) admin_url: String,
}

impl Served {
    /// Starts it and waits until it listens, on whichever port it was given.
    #[track_caller]
    pub(crate) fn start(env: &[(&str, &str)]) -> Self {
        Self::of(command(&["serve"], env))
    }

    /// The same with a command of the test's.
    #[track_caller]
    pub(crate) fn of(command: Command) -> Self {
        let mut process = Running::start(command);
        process.wait_for("service.start: listening");
        let log = process.err();
        let (_, listening) = log.split_once("service.start: listening").unwrap();
        let url = |field: &str| {
            let (_, address) = listening.split_once(field).unwrap();
            let address = address.trim_start_matches(['=', '"', ':']);
            let end = address.find([' ', '"', '\n']).unwrap();
            format!("http://{}", &address[..end])
        };
        Self {
            url: url("address"),
            admin_url: url("admin_address"),
            process,
        }
    }

    #[track_caller]
    pub(crate) fn wait_until_ready(&mut self) {
        self.process.wait_for("service.start: ready");
    }

    /// Where it takes webhooks, without `http://`.
    pub(crate) fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    /// A GET from the admin listener, with the response's status, content type and text.
    pub(crate) async fn get(&self, path: &str) -> (u16, String, String) {
        let client = leaver::connect::client::new(PATIENCE).unwrap();
        let answer = client
            .get(format!("{}{path}", self.admin_url))
            .send()
            .await
            .unwrap();
        let content_type = answer.headers()["content-type"]
            .to_str()
            .unwrap()
            .to_owned();
        (
            answer.status().as_u16(),
            content_type,
            answer.text().await.unwrap(),
        )
    }

    /// Sends a file as a source's provider would.
    #[track_caller]
    pub(crate) fn send(&self, place: &Place, source: &str, file: &Path) -> Said {
        let file = file.to_str().unwrap();
        let args = [
            "send", "--source", source, "--to", &self.url, "--json", file,
        ];
        place.leaver(&args)
    }

    /// Ends it as an orchestrator does; it must take that well.
    #[track_caller]
    pub(crate) fn stop(mut self) -> Said {
        self.process.signal(Signal::SIGTERM);
        self.process.ended().good()
    }
}
