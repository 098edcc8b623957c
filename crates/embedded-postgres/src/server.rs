//! Starts the server on a cluster, waits until it accepts connections, and stops it.

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

/// Interval of readiness checks.
const READY_POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Pause between two attempts to start.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// Crash recovery replays at most the WAL between two checkpoints; this is enough on a slow disk.
const READY_TIMEOUT: Duration = Duration::from_mins(2);

/// Right after a kill -9 of this process the old server may still hold its lock file or shared memory.
const OLD_SERVER_EXIT_LIMIT: Duration = Duration::from_secs(20);

/// Any other early exit is retried only this long, since a person is waiting.
const EARLY_EXIT_RETRY_LIMIT: Duration = Duration::from_secs(1);

/// The signals that stop it, in turn, and how long each may take: fast shutdown; immediate shutdown, with recovery at the next
/// start; kill.
const STOP_BY: [(Signal, Duration); 3] = [
    (Signal::SIGINT, Duration::from_secs(30)),
    (Signal::SIGQUIT, Duration::from_secs(5)),
    (Signal::SIGKILL, Duration::from_secs(5)),
];

/// The server to start and its cluster.
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
    /// Starts the server and returns once it accepts connections.
    pub(super) fn start(launch: &Launch<'_>) -> Result<Self, Error> {
        // The previous log is kept: a crash is usually investigated after the next start.
        drop(fs::rename(launch.log, launch.log.with_extension("log.1")));
        let began = Instant::now();
        loop {
            cluster::clear_stale_pidfile(launch.data)?;
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
                Outcome::Ended if began.elapsed() < early_exit_retry_limit(&log) => {
                    thread::sleep(RETRY_INTERVAL);
                }
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

    /// Stops the server and returns once it has ended.
    pub(super) fn stop(self) -> Result<(), Error> {
        self.end()
    }

    fn end(&self) -> Result<(), Error> {
        for (signal, limit) in STOP_BY {
            self.process.signal(signal);
            if self.process.wait_timeout(limit) {
                return Ok(());
            }
        }
        let still_there = io::Error::from(io::ErrorKind::TimedOut);
        Err(Error::io("stop the server of", &self.data)(still_there))
    }

    fn wait_until_ready(&self) -> Outcome {
        let pid_file = self.data.join("postmaster.pid");
        let began = Instant::now();
        while began.elapsed() < READY_TIMEOUT {
            if fs::read_to_string(&pid_file).is_ok_and(|text| is_ready(&text, self.pid())) {
                return Outcome::Ready;
            }
            if self.process.wait_timeout(READY_POLL_INTERVAL) {
                return Outcome::Ended;
            }
        }
        Outcome::TooSlow
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::warn!(%error, "embedded.stop: the server is still running");
        }
    }
}

enum Outcome {
    Ready,
    Ended,
    TooSlow,
}

/// Parses a pid file: the first line is the process id, the eighth the state.
pub(super) fn is_ready(pid_file: &str, pid: u32) -> bool {
    let line = |index| pid_file.lines().nth(index).map(str::trim);
    line(0) == Some(pid.to_string().as_str()) && line(7) == Some("ready")
}

fn early_exit_retry_limit(log: &str) -> Duration {
    // The locale is C, so these messages are not translated.
    if log.contains("lock file") || log.contains("shared memory") {
        OLD_SERVER_EXIT_LIMIT
    } else {
        EARLY_EXIT_RETRY_LIMIT
    }
}

fn spawn(launch: &Launch<'_>, log: &File) -> io::Result<SupervisedChild> {
    let mut command = Command::new(launch.postgres);
    command.arg("-D").arg(launch.data);
    command.arg("-k").arg(launch.sockets);
    command.args(["-p", &PORT.to_string()]);
    for setting in [
        // No network access; the socket is reachable only for users that may enter its folder.
        "listen_addresses=",
        "unix_socket_permissions=0700",
        // The tests share one server, and each test has its own pool.
        "max_connections=300",
        // An acknowledged delivery survives any crash of this process or the machine. (fsync is on by default and not set here,
        // so that tests can turn it off.)
        "synchronous_commit=on",
        "full_page_writes=on",
        // Messages go to our log file, without a logging process.
        "logging_collector=off",
        // Statements and error details contain personal data; the log must not.
        "log_min_error_statement=panic",
        "log_error_verbosity=terse",
        // A private server has no replicas.
        "wal_level=replica",
        "max_wal_senders=0",
    ] {
        command.args(["-c", setting]);
    }
    // SIGINT means fast shutdown: disconnect all clients and stop.
    child::isolate(&mut command, launch.run_as, Signal::SIGINT);
    command.stdout(log.try_clone()?).stderr(log.try_clone()?);
    SupervisedChild::spawn(command)
}

/// Opens an empty log for one attempt, so that messages of an earlier attempt are not attributed to this one.
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
