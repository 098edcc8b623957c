//! The folder of a cluster, used by one instance at a time: a file lock in it ends with the process that holds it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs, io, process, thread};

use nix::unistd::geteuid;

use super::{DataDir, Error, cluster};

/// Prefix of every ephemeral folder, to recognise leftovers.
const EPHEMERAL_PREFIX: &str = "leaver-pg-";

/// Socket paths have at most 107 bytes, on some systems 103, and Postgres appends the name of the socket file.
const MAX_SOCKET_FOLDER_BYTES: usize = 89;

/// An owner that was just killed may hold the lock for another moment.
const UNLOCK_TIMEOUT: Duration = Duration::from_millis(500);

/// A locked folder. Dropping it removes an ephemeral folder.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    ephemeral: bool,
    lock: File,
}

impl Folder {
    pub(super) fn claim(data_dir: &DataDir) -> Result<Self, Error> {
        let folder = match data_dir {
            DataDir::Persistent(base) => Self::claim_persistent(base)?,
            DataDir::Ephemeral => {
                // The resolved path: Postgres resolves links too, and its paths are compared with ours.
                let parent = fs::canonicalize(env::temp_dir())
                    .map_err(Error::io("find", &env::temp_dir()))?;
                sweep(&parent);
                Self::claim_ephemeral(&parent)?
            }
        };
        let sockets = folder.sockets();
        if sockets.as_os_str().len() > MAX_SOCKET_FOLDER_BYTES {
            return Err(Error::SocketPathTooLong(sockets));
        }
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn sockets(&self) -> PathBuf {
        self.path.join("sock")
    }

    pub(super) fn is_ephemeral(&self) -> bool {
        self.ephemeral
    }

    /// Removes an ephemeral folder and releases the lock.
    pub(super) fn release(mut self) -> Result<(), Error> {
        if std::mem::take(&mut self.ephemeral) {
            remove(&self.path).map_err(Error::io("remove", &self.path))?;
        }
        Ok(())
    }

    fn claim_persistent(base: &Path) -> Result<Self, Error> {
        builder()
            .recursive(true)
            .create(base)
            .map_err(Error::io("create", base))?;
        let path = fs::canonicalize(base).map_err(Error::io("find", base))?;
        let lock = open_lock(&path).map_err(Error::io("open the lock in", &path))?;
        let began = Instant::now();
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(source)) => return Err(Error::io("lock", &path)(source)),
                Err(TryLockError::WouldBlock) if began.elapsed() > UNLOCK_TIMEOUT => {
                    return Err(Error::AlreadyRunning { base: path });
                }
                Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(10)),
            }
        }
        Ok(Self {
            path,
            ephemeral: false,
            lock,
        })
    }

    /// Claims the first free name. A sweep by another process may run between any two of these steps:
    ///
    /// ```text
    ///   this process              sweep elsewhere              detected by, then the next name is tried
    ///   create the folder ...>    removes it, it is empty      the lock file cannot be created
    ///   create the lock .....>    locks it, removes all        the lock is held, replaced or gone
    ///   lock it .............>    cannot lock it
    /// ```
    fn claim_ephemeral(parent: &Path) -> Result<Self, Error> {
        let mut number = 0_u64;
        loop {
            let path = parent.join(format!("{EPHEMERAL_PREFIX}{}-{number}", process::id()));
            number += 1;
            match builder().create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made.map_err(Error::io("create", &path))?,
            }
            let lock = match open_lock(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened.map_err(Error::io("open the lock in", &path))?,
            };
            if lock.try_lock().is_ok() && is_same_file(&lock, &path.join("lock")) {
                return Ok(Self {
                    path,
                    ephemeral: true,
                    lock,
                });
            }
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.ephemeral
            && let Err(error) = remove(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "embedded.stop: cannot remove an ephemeral cluster");
        }
        // Closing the file is not enough: a process that another thread just forked may still hold a copy of it.
        drop(self.lock.unlock());
    }
}

/// Removes ephemeral folders of dead owners. A folder that cannot be removed is left for the next sweep.
fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let is_ephemeral = path
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.starts_with(EPHEMERAL_PREFIX));
        // Other users may write here too. Their folders are not even opened.
        let is_ours = fs::symlink_metadata(&path)
            .is_ok_and(|found| found.is_dir() && found.uid() == geteuid().as_raw());
        if !is_ephemeral || !is_ours {
            continue;
        }
        let removed = match File::open(path.join("lock")) {
            Err(_) => fs::remove_dir(&path),
            Ok(lock) if lock.try_lock().is_ok() && !cluster::may_be_running(&path) => remove(&path),
            Ok(_) => continue,
        };
        tracing::debug!(path = %path.display(), ?removed, "embedded.start: swept an ephemeral cluster");
    }
}

/// Removes the lock file last, so that the next sweep continues an interrupted removal.
fn remove(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else if entry.file_name() != "lock" {
            fs::remove_file(entry.path())?;
        }
    }
    fs::remove_dir_all(folder)
}

/// If root creates the folder, the server's own user must be able to traverse it.
fn builder() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.mode(if geteuid().is_root() { 0o711 } else { 0o700 });
    builder
}

fn open_lock(folder: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(folder.join("lock"))
}

fn is_same_file(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(file), Ok(path)) => (file.dev(), file.ino()) == (path.dev(), path.ino()),
        _ => false,
    }
}
