//! The clusters in a folder: one per major version, since a server reads only clusters of its own version.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use nix::sys::signal::Signal;

use super::binaries::Binaries;
use super::error::tail;
use super::folder::Folder;
use super::run_as::RunAs;
use super::{Error, SUPERUSER, child};

/// How long helper processes of a killed initdb may keep writing.
const EMPTY_TIMEOUT: Duration = Duration::from_secs(10);

/// Returns the cluster for these binaries, and creates it if there is none.
pub(super) fn prepare(folder: &Folder, binaries: &Binaries) -> Result<PathBuf, Error> {
    let data = folder.path().join(format!("pg{}", binaries.major));
    if data.is_dir() {
        return Ok(data);
    }
    let unfinished = folder.path().join(format!("pg{}.init", binaries.major));
    remove_if_present(&unfinished)?;
    let made = init(folder, binaries, &unfinished);
    if let Err(error) = made {
        remove_if_present(&unfinished)?;
        return Err(error);
    }
    // Only a complete cluster gets the name that the next start looks for.
    fs::rename(&unfinished, &data).map_err(Error::io("rename", &unfinished))?;
    fs::File::open(folder.path())
        .and_then(|folder| folder.sync_all())
        .map_err(Error::io("sync", folder.path()))?;
    Ok(data)
}

/// Returns the highest major version that has a cluster in this folder.
pub(super) fn newest_in(folder: &Folder) -> Option<u32> {
    majors_in(folder.path()).into_iter().max()
}

/// Logs the clusters of other versions, so that a new and empty one is not mistaken for lost data.
pub(super) fn warn_of_others(folder: &Folder, major: u32) {
    for other in majors_in(folder.path()) {
        if other != major {
            let path = folder.path().join(format!("pg{other}"));
            tracing::warn!(path = %path.display(), using = major, "embedded.start: ignoring a cluster of another version");
        }
    }
}

/// Returns whether a server still runs on a cluster in this folder, for example one that is shutting down.
pub(super) fn may_be_running(base: &Path) -> bool {
    majors_in(base).into_iter().any(|major| {
        let data = base.join(format!("pg{major}"));
        pid_in(&data).is_some_and(|pid| runs_in(pid, &data))
    })
}

/// Removes the pid file of a dead server whose process id belongs to another process now. Postgres would take that process
/// for the server and refuse to start. In a container, where ids are small and reused, it may be one of our own threads.
/// Postgres still refuses to start while a process of the old server is attached to its shared memory.
pub(super) fn clear_stale_pidfile(data: &Path) -> Result<(), Error> {
    let Some(pid) = pid_in(data) else {
        return Ok(());
    };
    if runs_in(pid, data) {
        return Ok(());
    }
    let pid_file = data.join("postmaster.pid");
    match fs::remove_file(&pid_file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("remove", &pid_file)(error))
        }
        _ => Ok(()),
    }
}

fn init(folder: &Folder, binaries: &Binaries, data: &Path) -> Result<(), Error> {
    let run_as = RunAs::choose()?;
    run_as.own_folder(data)?;
    let initdb = binaries.initdb();
    let mut command = Command::new(&initdb);
    command
        .arg("-D")
        .arg(data)
        .args(["-U", SUPERUSER])
        // Access is controlled by the private socket folder; there is no password.
        .args(["--auth-local=trust", "--auth-host=reject"])
        // The same collation and case rules on every machine.
        .args(["-E", "UTF8", "--locale=C"])
        // A damaged page is an error instead of wrong data.
        .arg("--data-checksums");
    if folder.is_ephemeral() {
        // An ephemeral cluster need not survive a crash.
        command.arg("--no-sync");
    }
    // After any other signal initdb runs on for a while, and the next start would find it in this folder.
    child::isolate(&mut command, run_as, Signal::SIGKILL);
    let output = command.output().map_err(Error::io("run", &initdb))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::InitFailed {
        tail: tail(&String::from_utf8_lossy(&output.stderr)),
    })
}

fn majors_in(base: &Path) -> Vec<u32> {
    fs::read_dir(base)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            entry
                .ok()?
                .file_name()
                .to_str()?
                .strip_prefix("pg")?
                .parse()
                .ok()
        })
        .collect()
}

/// Removes the remains of an interrupted initdb. One of its helper processes may outlive it for a moment and still write, so
/// removal is retried while the folder is not empty.
fn remove_if_present(folder: &Path) -> Result<(), Error> {
    let began = Instant::now();
    loop {
        match fs::remove_dir_all(folder) {
            Err(error)
                if error.kind() == io::ErrorKind::DirectoryNotEmpty
                    && began.elapsed() < EMPTY_TIMEOUT =>
            {
                thread::sleep(Duration::from_millis(20));
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("remove", folder)(error));
            }
            _ => return Ok(()),
        }
    }
}

fn pid_in(data: &Path) -> Option<u32> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    text.lines().next()?.trim().parse().ok()
}

/// Returns whether a process works in this data folder, as a server does. If that cannot be read, it counts as running.
fn runs_in(pid: u32, data: &Path) -> bool {
    if !cfg!(target_os = "linux") {
        return true;
    }
    match fs::read_link(format!("/proc/{pid}/cwd")) {
        Ok(cwd) => cwd == data,
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}
