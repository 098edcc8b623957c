//! Starts the server on a cluster, waits until it answers, and stops it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::child::{self, SupervisedChild};
use super::error::tail;
use super::run_as::RunAs;
use super::{Error, PORT, cluster};

/// How often we look whether it is ready.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How long until the next attempt.
const TRY_EVERY: Duration = Duration::from_millis(100);

/// Recovery from a crash replays at most what fits between two checkpoints, on a slow disk too.
const READY_WITHIN: Duration = Duration::from_mins(2);

/// Right after a kill -9 of ours the old server may still hold its lock file or shared memory.
const PREDECESSOR_GONE_WITHIN: Duration = Duration::from_secs(20);

/// Any other early end is tried again too, but not for so long that a person waits in vain.
const OTHERWISE_WITHIN: Duration = Duration::from_secs(1);

/// What is tried in turn to stop it, and how long it may take: an orderly end; at once, with recovery
/// at the next start; and what nobody can refuse.
const STOP_BY: [(Signal, Duration); 3] = [
    (Signal::SIGINT, Duration::from_secs(30)),
    (Signal::SIGQUIT, Duration::from_secs(5)),
    (Signal::SIGKILL, Duration::from_secs(5)),
];

/// What to start, and on what.
pub(super) struct Launch<'a> {
    pub(super) postgres: &'a Path,
    pub(super) data: &'a Path,
    pub(super) sockets: &'a Path,
    pub(super) log: &'a Path,
    pub(super) run_as: RunAs,
}

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub(super) struct Server {
    process: SupervisedChild,
    data: PathBuf,
    recovered: bool,
}

impl Server {
    /// Returns when it accepts connections.
    pub(super) fn start(launch: &Launch<'_>) -> Result<Self, Error> {
        // One log back is kept, since a crash is asked about after the next start.
        drop(fs::rename(launch.log, launch.log.with_extension("log.1")));
        let began = Instant::now();
        loop {
            cluster::forget_reused_pid(launch.data)?;
            let mut log = open_log(launch.log).map_err(Error::io("open", launch.log))?;
            let mut server = Self {
                process: spawn(launch, &log).map_err(Error::io("start", launch.postgres))?,
                data: launch.data.to_path_buf(),
                recovered: false,
            };
            let outcome = server.wait_until_ready();
            let log = read_all(&mut log).map_err(Error::io("read", launch.log))?;
            match outcome {
                Outcome::Ready => {
                    server.recovered = log.contains("was not properly shut down");
                    return Ok(server);
                }
                Outcome::Ended if began.elapsed() < patience_with(&log) => thread::sleep(TRY_EVERY),
                Outcome::Ended | Outcome::TooSlow => {
                    return Err(Error::StartFailed {
                        log: launch.log.to_path_buf(),
                        tail: tail(&log),
                    });
                }
            }
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub(super) fn recovered(&self) -> bool {
        self.recovered
    }

    /// Returns when it has ended.
    pub(super) fn stop(self) -> Result<(), Error> {
        self.end()
    }

    fn end(&self) -> Result<(), Error> {
        for (signal, limit) in STOP_BY {
            self.process.signal(signal);
            if self.process.ends_within(limit) {
                return Ok(());
            }
        }
        let still_there = io::Error::from(io::ErrorKind::TimedOut);
        Err(Error::io("stop the server of", &self.data)(still_there))
    }

    fn wait_until_ready(&self) -> Outcome {
        let pid_file = self.data.join("postmaster.pid");
        let began = Instant::now();
        while began.elapsed() < READY_WITHIN {
            if fs::read_to_string(&pid_file).is_ok_and(|text| says_ready(&text, self.pid())) {
                return Outcome::Ready;
            }
            if self.process.ends_within(LOOK_EVERY) {
                return Outcome::Ended;
            }
        }
        Outcome::TooSlow
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::warn!(%error, "the embedded Postgres is left running");
        }
    }
}

enum Outcome {
    Ready,
    Ended,
    TooSlow,
}

/// The first line is the process id, the eighth the state.
pub(super) fn says_ready(pid_file: &str, pid: u32) -> bool {
    let line = |index| pid_file.lines().nth(index).map(str::trim);
    line(0) == Some(pid.to_string().as_str()) && line(7) == Some("ready")
}

fn patience_with(log: &str) -> Duration {
    // The locale is C, so these words are not translated.
    if log.contains("lock file") || log.contains("shared memory") {
        PREDECESSOR_GONE_WITHIN
    } else {
        OTHERWISE_WITHIN
    }
}

fn spawn(launch: &Launch<'_>, log: &File) -> io::Result<SupervisedChild> {
    let mut command = Command::new(launch.postgres);
    command.arg("-D").arg(launch.data);
    command.arg("-k").arg(launch.sockets);
    command.args(["-p", &PORT.to_string()]);
    for setting in [
        // Nobody reaches it over the network, and on the socket only who may enter its folder.
        "listen_addresses=",
        "unix_socket_permissions=0700",
        // The tests share one server, and each has a pool of its own.
        "max_connections=100",
        // What was answered with 2xx is on the disk, in whatever way we or the machine end. (fsync is on by itself, and
        // not said here, so that the tests can spare the disk.)
        "synchronous_commit=on",
        "full_page_writes=on",
        // Its messages go to our log file, without a process of its own for them.
        "logging_collector=off",
        // Statements and details name people; the log shall not.
        "log_min_error_statement=panic",
        "log_error_verbosity=terse",
        // Nobody replicates a private server.
        "wal_level=replica",
        "max_wal_senders=0",
    ] {
        command.args(["-c", setting]);
    }
    // SIGINT is its order to disconnect everybody and shut down.
    child::isolate(&mut command, launch.run_as, Signal::SIGINT);
    command.stdout(log.try_clone()?).stderr(log.try_clone()?);
    SupervisedChild::spawn(command)
}

/// A log of one attempt; what an earlier attempt wrote would be taken for this one's.
fn open_log(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .and_then(|log| log.set_len(0).map(|()| log))
}

fn read_all(log: &mut File) -> io::Result<String> {
    let mut bytes = Vec::new();
    log.seek(SeekFrom::Start(0))?;
    log.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
