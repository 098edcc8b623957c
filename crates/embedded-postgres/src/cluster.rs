//! The clusters in a folder: one per major version, since a server reads only its own version's.

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

/// How long the helpers of a killed initdb may go on.
const EMPTIED_WITHIN: Duration = Duration::from_secs(10);

/// The cluster for these binaries, made when there is none.
pub(super) fn prepare(folder: &Folder, binaries: &Binaries) -> Result<PathBuf, Error> {
    let data = folder.path().join(format!("pg{}", binaries.major));
    if data.is_dir() {
        return Ok(data);
    }
    let unfinished = folder.path().join(format!("pg{}.init", binaries.major));
    remove_if_there(&unfinished)?;
    let made = init(folder, binaries, &unfinished);
    if let Err(error) = made {
        remove_if_there(&unfinished)?;
        return Err(error);
    }
    // Only a complete cluster ever bears the name that the next start looks for.
    fs::rename(&unfinished, &data).map_err(Error::io("rename", &unfinished))?;
    fs::File::open(folder.path())
        .and_then(|folder| folder.sync_all())
        .map_err(Error::io("sync", folder.path()))?;
    Ok(data)
}

/// The highest major version that has a cluster here.
pub(super) fn newest_in(folder: &Folder) -> Option<u32> {
    majors_in(folder.path()).into_iter().max()
}

/// Says which clusters stay unread, so that nobody takes an empty one for lost data.
pub(super) fn warn_of_others(folder: &Folder, major: u32) {
    for other in majors_in(folder.path()) {
        if other != major {
            let path = folder.path().join(format!("pg{other}"));
            tracing::warn!(path = %path.display(), using = major, "a cluster of another version is not read");
        }
    }
}

/// Whether a server still runs on a cluster in this folder, such as one that is shutting down.
pub(super) fn may_be_running(base: &Path) -> bool {
    majors_in(base).into_iter().any(|major| {
        let data = base.join(format!("pg{major}"));
        pid_in(&data).is_some_and(|pid| runs_in(pid, &data))
    })
}

/// Removes the lock file of a server that is gone when another process has got its id since. Postgres
/// would take that process for the server and refuse to start for good; in a container, where ids
/// are small and begin anew, it may well be one of our own threads. Postgres still refuses
/// to start while a process of the old server is attached to its shared memory.
pub(super) fn forget_reused_pid(data: &Path) -> Result<(), Error> {
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
        // The closed socket folder is what keeps others out; there is no password to lose.
        .args(["--auth-local=trust", "--auth-host=reject"])
        // The same order and case rules on every machine, whatever locales it has.
        .args(["-E", "UTF8", "--locale=C"])
        // A damaged page is reported instead of read.
        .arg("--data-checksums");
    if folder.is_throw_away() {
        // A crash throws it away as well.
        command.arg("--no-sync");
    }
    // Asked in kinder ways it goes on for a while, and the next start would meet it in this folder.
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

/// Removes what a first start left that was cut short. A helper of its initdb may outlive it for a moment and
/// still write there, so a folder that fills again while it is emptied is emptied again.
fn remove_if_there(folder: &Path) -> Result<(), Error> {
    let began = Instant::now();
    loop {
        match fs::remove_dir_all(folder) {
            Err(error)
                if error.kind() == io::ErrorKind::DirectoryNotEmpty
                    && began.elapsed() < EMPTIED_WITHIN =>
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

/// A server works in its data folder. Where that cannot be seen, it counts as running.
fn runs_in(pid: u32, data: &Path) -> bool {
    if !cfg!(target_os = "linux") {
        return true;
    }
    match fs::read_link(format!("/proc/{pid}/cwd")) {
        Ok(cwd) => cwd == data,
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}
