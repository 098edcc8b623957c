//! The folder that a cluster lives in, held by one instance at a time through a lock on a file in it.
//! The lock ends with the process that holds it, however that ends.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs, io, process, thread};

use nix::unistd::geteuid;

use super::{DataDir, Error, cluster};

/// Every throw-away folder begins with it, so that leftovers are recognised.
const THROW_AWAY_PREFIX: &str = "leaver-pg-";

/// The system takes 107 bytes, or 103 on some, and Postgres adds the name of the socket file.
const LONGEST_SOCKET_FOLDER: usize = 89;

/// An owner that was killed a moment ago may not be quite dead.
const UNLOCKED_WITHIN: Duration = Duration::from_millis(500);

/// A folder that is ours alone. Dropping it removes a throw-away folder.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    throw_away: bool,
    lock: File,
}

impl Folder {
    pub(super) fn claim(home: &DataDir) -> Result<Self, Error> {
        let folder = match home {
            DataDir::Persistent(base) => Self::claim_kept(base)?,
            DataDir::Ephemeral => {
                // The real path, since Postgres resolves links and we compare with what it resolved.
                let parent = fs::canonicalize(env::temp_dir())
                    .map_err(Error::io("find", &env::temp_dir()))?;
                sweep(&parent);
                Self::claim_throw_away(&parent)?
            }
        };
        let sockets = folder.sockets();
        if sockets.as_os_str().len() > LONGEST_SOCKET_FOLDER {
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

    pub(super) fn is_throw_away(&self) -> bool {
        self.throw_away
    }

    /// Removes a throw-away folder, and lets go of the lock.
    pub(super) fn release(mut self) -> Result<(), Error> {
        if std::mem::take(&mut self.throw_away) {
            remove(&self.path).map_err(Error::io("remove", &self.path))?;
        }
        Ok(())
    }

    fn claim_kept(base: &Path) -> Result<Self, Error> {
        builder()
            .recursive(true)
            .create(base)
            .map_err(Error::io("make", base))?;
        let path = fs::canonicalize(base).map_err(Error::io("find", base))?;
        let lock = open_lock(&path).map_err(Error::io("open the lock in", &path))?;
        let began = Instant::now();
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(source)) => return Err(Error::io("lock", &path)(source)),
                Err(TryLockError::WouldBlock) if began.elapsed() > UNLOCKED_WITHIN => {
                    return Err(Error::AlreadyRunning { base: path });
                }
                Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(10)),
            }
        }
        Ok(Self {
            path,
            throw_away: false,
            lock,
        })
    }

    /// Takes the first free name. A sweep that runs elsewhere may come between any two of these steps:
    ///
    /// ```text
    ///   we                       a sweep                    we notice, and take the next name
    ///   make the folder ......>  removes it, it is empty    the lock cannot be made
    ///   make the lock .......->  holds it, removes all      it is held, or another file, or gone
    ///   hold the lock ........>  cannot hold it
    /// ```
    fn claim_throw_away(parent: &Path) -> Result<Self, Error> {
        let mut number = 0_u64;
        loop {
            let path = parent.join(format!("{THROW_AWAY_PREFIX}{}-{number}", process::id()));
            number += 1;
            match builder().create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made.map_err(Error::io("make", &path))?,
            }
            let lock = match open_lock(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened.map_err(Error::io("open the lock in", &path))?,
            };
            if lock.try_lock().is_ok() && is_same_file(&lock, &path.join("lock")) {
                return Ok(Self {
                    path,
                    throw_away: true,
                    lock,
                });
            }
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.throw_away
            && let Err(error) = remove(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove a throw-away cluster");
        }
        // Closing the file would not do while a process that another thread forks has yet to close
        // its copy.
        drop(self.lock.unlock());
    }
}

/// Removes throw-away folders whose owner has died. What cannot be removed is left for another time.
fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let is_throw_away = path
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.starts_with(THROW_AWAY_PREFIX));
        // Others may write here too. What is not ours we do not even open.
        let is_ours = fs::symlink_metadata(&path)
            .is_ok_and(|found| found.is_dir() && found.uid() == geteuid().as_raw());
        if !is_throw_away || !is_ours {
            continue;
        }
        let removed = match File::open(path.join("lock")) {
            Err(_) => fs::remove_dir(&path),
            Ok(lock) if lock.try_lock().is_ok() && !cluster::may_be_running(&path) => remove(&path),
            Ok(_) => continue,
        };
        tracing::debug!(path = %path.display(), ?removed, "swept a throw-away cluster");
    }
}

/// Removes the lock last, so that a removal that was cut short is taken up by the next sweep.
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

/// When root makes the folder, the server's own user must be able to pass through it to its own.
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
