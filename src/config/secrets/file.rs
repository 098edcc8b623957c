//! Files that hold one secret.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;

use secrecy::SecretString;

/// Permission bits of users who neither own the file nor are in its group.
const OTHERS: u32 = 0o007;

/// Largest file that can be a secret, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// Why a secret could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum SecretError {
    /// The variable's value is not text.
    #[error("the variable {0} is not UTF-8")]
    NotUtf8(String),
    /// The variable for the secret is empty.
    #[error("the variable {0} is set but empty; give it the secret, or unset it")]
    EmptyVariable(String),
    /// The variable for the path of a file is empty.
    #[error("the variable {0} is set but empty; set it to the path of a file, or unset it")]
    EmptyPath(String),
    /// The file could not be read as text.
    #[error("cannot read {path}: {error}")]
    Unreadable {
        /// The path of the file.
        path: String,
        /// The operating system's error.
        error: std::io::Error,
    },
    /// The file has more than [`MAX_BYTES`].
    #[error("the file {0} is larger than 64 KiB; write only the secret into it")]
    TooLarge(String),
    /// The file is empty, or has only white space.
    #[error("the file {0} is empty; write the secret into it")]
    EmptyFile(String),
    /// The file that a variable names could not be used.
    #[error("{variable}: {error}")]
    File {
        /// The variable with the path.
        variable: String,
        /// Why not.
        error: Box<SecretError>,
    },
}

/// A secret from a file.
pub(super) struct FoundSecret {
    pub(super) secret: SecretString,
    /// White space was removed.
    pub(super) is_trimmed: bool,
    /// Every user of the machine may read or change the file.
    pub(super) is_open_to_others: bool,
}

/// Reads a file without the white space at its ends: editors and `docker secret` add a line break, and people add spaces.
pub(super) fn read(path: &str) -> Result<FoundSecret, SecretError> {
    let unreadable = |error| SecretError::Unreadable {
        path: path.to_owned(),
        error,
    };
    let file = File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.mode();
    let mut text = String::new();
    let read = file.take(MAX_BYTES + 1).read_to_string(&mut text);
    if read.map_err(unreadable)? as u64 > MAX_BYTES {
        return Err(SecretError::TooLarge(path.to_owned()));
    }
    // Some editors put a byte order mark before the text.
    let text = text.trim_start_matches('\u{FEFF}');
    let secret = text.trim();
    if secret.is_empty() {
        return Err(SecretError::EmptyFile(path.to_owned()));
    }
    Ok(FoundSecret {
        secret: secret.into(),
        is_trimmed: secret.len() < text.len(),
        is_open_to_others: mode & OTHERS != 0,
    })
}
