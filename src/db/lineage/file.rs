//! The state file: what a process remembers, outside the database.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::Remembered;

/// Name of the file.
const NAME: &str = "lineage.json";

/// The file in `database.state_dir`.
#[derive(Clone, Debug)]
pub struct StateFile {
    folder: PathBuf,
    /// Part of the names of unfinished files. Process ids are equal in two containers that share the folder.
    writer: Uuid,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateFileError {
    /// The folder cannot be made or written.
    #[error(
        "cannot {action} {path}: {error}; check `database.state_dir`, which must be a folder of Leaver's user"
    )]
    Io {
        /// The operation.
        action: &'static str,
        /// The file or folder.
        path: String,
        /// The cause.
        error: io::Error,
    },
    /// The file holds something else.
    #[error(
        "{0} is damaged, so a restore since then cannot be detected; it is written again at the next check"
    )]
    Damaged(String),
}

impl StateFile {
    /// Uses a folder, which [`Self::prepare`] makes.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            writer: Uuid::new_v4(),
        }
    }

    /// Tries a write into the folder. Returns false if there is none, which [`Self::prepare`] makes.
    ///
    /// # Errors
    /// Returns why it cannot be written.
    pub fn try_write(&self) -> Result<bool, StateFileError> {
        if !self.folder.exists() {
            return Ok(false);
        }
        let trial = self.folder.join(format!(".{NAME}.{}.trial", self.writer));
        write_new(&trial, b"")?;
        fs::remove_file(&trial).map_err(failed("remove", &trial))?;
        Ok(true)
    }

    /// Makes the folder if there is none, and tries a write.
    ///
    /// # Errors
    /// Returns why it cannot be written.
    pub fn prepare(&self) -> Result<(), StateFileError> {
        if !self.folder.is_dir() {
            fs::create_dir_all(&self.folder).map_err(failed("create", &self.folder))?;
            let private = Permissions::from_mode(0o700);
            fs::set_permissions(&self.folder, private).map_err(failed("close", &self.folder))?;
        }
        self.try_write().map(drop)
    }

    /// Reads the file; `None` if there is none.
    ///
    /// # Errors
    /// Returns why it cannot be read.
    pub(crate) fn read(&self) -> Result<Option<Remembered>, StateFileError> {
        let path = self.folder.join(NAME);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", &path)(error)),
        };
        let read = serde_json::from_slice(&bytes);
        read.map(Some)
            .map_err(|_| StateFileError::Damaged(path.display().to_string()))
    }

    /// Replaces the file. After a crash it is the old one or the new one.
    ///
    /// # Errors
    /// Returns why it cannot be written.
    pub(crate) fn write(&self, remembered: &Remembered) -> Result<(), StateFileError> {
        let path = self.folder.join(NAME);
        let unfinished = self.folder.join(format!(".{NAME}.{}", self.writer));
        let bytes = serde_json::to_vec(remembered).unwrap_or_default();
        write_new(&unfinished, &bytes)?;
        fs::rename(&unfinished, &path).map_err(failed("rename", &unfinished))?;
        let folder = File::open(&self.folder).and_then(|folder| folder.sync_all());
        folder.map_err(failed("sync", &self.folder))
    }
}

/// Writes a file that only its owner may read, and waits for the disk.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), StateFileError> {
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(failed("write", path))
}

fn failed<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> StateFileError + 'a {
    move |error| StateFileError::Io {
        action,
        path: path.display().to_string(),
        error,
    }
}
