//! Errors of the configuration. The text names the key, where it is set and what to do; it never contains
//! the value of a secret.

use std::path::PathBuf;

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file does not exist or cannot be read.
    #[error("cannot read the configuration file {path}")]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{origin} is not valid TOML: {problem}")]
    Syntax {
        /// Path of the file.
        origin: String,
        /// Line number and parser message, without the line itself: it may hold a secret.
        problem: String,
    },
    /// A key does not exist, or its value has the wrong type or range.
    #[error("{origin}: {key}: {problem}")]
    Value {
        /// Path of the file, or the environment with the variable's name.
        origin: String,
        /// Full path of the key.
        key: String,
        /// The problem and a valid value.
        problem: String,
    },
    /// A reference to a secret cannot be resolved, or the secret is unusable.
    #[error("{key}: {problem}")]
    Secret {
        /// Full path of the key, or the variable's name.
        key: String,
        /// The problem and its remedy.
        problem: String,
    },
    /// No webhook could be accepted. Has the variables that may be misspelt.
    #[error(
        "no source is configured, so no webhook could be accepted; set BAMBOOHR_WEBHOOK_SECRET or MERGE_WEBHOOK_SECRET, or write a [[sources]] section (see config/default.toml){0}"
    )]
    NoSource(String),
}
