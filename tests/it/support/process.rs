//! The real binary, with the environment variables of a test and no others.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, geteuid};
use serde_json::Value;
use tempfile::TempDir;

use super::{TestApp, scratch};

/// Time limit for anything that a test waits for. It is long because CI machines are shared.
pub(crate) const WAIT_LIMIT: Duration = Duration::from_mins(1);

/// The program.
pub(crate) const LEAVER: &str = env!("CARGO_BIN_EXE_leaver");

/// What a command printed, and its exit code.
#[derive(Debug)]
pub(crate) struct CommandOutput {
    /// `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl CommandOutput {
    /// Returns the one JSON value that stdout must be.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Expects exit code 0.
    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self
    }

    /// Expects exit code 1 (findings) and these words on stdout, or on stderr, where a pipe gets summaries.
    #[track_caller]
    pub(crate) fn findings(self, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(1), "{self:#?}");
        for word in words {
            let is_shown = self.out.contains(word) || self.err.contains(word);
            assert!(is_shown, "no {word:?} in {self:#?}");
        }
        self
    }

    /// Expects exit code 3 (failed) and these words on stderr.
    #[track_caller]
    pub(crate) fn failed(self, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(3), "{self:#?}");
        for word in words {
            assert!(self.err.contains(word), "no {word:?} in {self:#?}");
        }
        self
    }
}

/// A process that is killed at the end of the test.
pub(crate) struct RunningProcess {
    child: Child,
    folder: TempDir,
}

impl RunningProcess {
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

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// Returns the peak of its resident memory in MiB.
    #[track_caller]
    pub(crate) fn peak_memory_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.unwrap().trim().trim_end_matches(" kB");
        kib.parse::<u64>().unwrap() / 1024
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends SIGKILL and waits until it has ended.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it has ended.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> CommandOutput {
        let mut status = None;
        wait_until("the process has ended", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        CommandOutput {
            code: status.unwrap().code(),
            out: self.out(),
            err: self.err(),
        }
    }

    /// Waits until one of its streams contains these words.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, words: &str) {
        wait_until(words, || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("ended with {status}: {}{}", self.out(), self.err());
            }
            self.err().contains(words) || self.out().contains(words)
        });
    }
}

impl Drop for RunningProcess {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Polls a condition every 10 ms, at most [`WAIT_LIMIT`].
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + WAIT_LIMIT;
    while !is_so() {
        assert!(
            Instant::now() < deadline,
            "waited {WAIT_LIMIT:?} until: {what}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Returns the program with these variables, and `PATH`, by which it finds Postgres.
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
        // By another process: a child that a parallel test forks would inherit the open file, which then is busy.
        let copied = Command::new("cp").arg(LEAVER).arg(&program).status();
        assert!(copied.unwrap().success());
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

/// Runs a command of the program to its end, with these variables only.
#[track_caller]
pub(crate) fn run(args: &[&str], env: &[(&str, &str)]) -> CommandOutput {
    RunningProcess::start(command(args, env)).wait()
}

/// The service as a process.
pub(crate) struct RunningService {
    pub(crate) process: RunningProcess,
    /// URL of `server.listen`.
    pub(crate) url: String,
    /// URL of `server.admin_listen`.
    pub(crate) admin_url: String,
}

impl RunningService {
    /// Starts it and waits until it listens.
    #[track_caller]
    pub(crate) fn start(env: &[(&str, &str)]) -> Self {
        Self::start_command(command(&["serve"], env))
    }

    /// Starts this command and waits until it listens.
    #[track_caller]
    pub(crate) fn start_command(command: Command) -> Self {
        let mut process = RunningProcess::start(command);
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

    /// Returns the address of `server.listen`.
    pub(crate) fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    /// Sends a GET to the admin listener. Returns the response's status, content type and text.
    pub(crate) async fn get(&self, path: &str) -> (u16, String, String) {
        let client = leaver::connect::client::new(WAIT_LIMIT).unwrap();
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

    /// Sends a file as the source's provider does.
    #[track_caller]
    pub(crate) fn send(&self, app: &TestApp, source: &str, file: &Path) -> CommandOutput {
        let file = file.to_str().unwrap();
        let args = [
            "send", "--source", source, "--to", &self.url, "--json", file,
        ];
        app.run(&args)
    }

    /// Sends SIGTERM. Expects exit code 0.
    #[track_caller]
    pub(crate) fn stop(mut self) -> CommandOutput {
        self.process.signal(Signal::SIGTERM);
        self.process.wait().succeeded()
    }
}
