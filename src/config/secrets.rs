//! Resolves references to secrets: `env:NAME` is the variable `NAME` or the file named by `NAME_FILE`, and
//! `file:PATH` is a file. Variables: `LEAVER_ADMIN_TOKEN`, `LEAVER_ADMIN_TOKEN_FILE`.

use secrecy::SecretString;

use super::{Environment, SettingsError};
use crate::api::auth::AdminToken;

/// The variable that overrides [`ADMIN_TOKEN_KEY`].
const ADMIN_TOKEN: &str = "LEAVER_ADMIN_TOKEN";

/// The key that holds a reference to the administrator's token.
const ADMIN_TOKEN_KEY: &str = "server.admin_token";

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
    /// The file is empty.
    #[error("the file {0} is empty")]
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

/// Returns the secret that a reference names. `key` is the setting that holds the reference.
///
/// Fails if the text is not a reference, or the secret is missing, empty or not UTF-8.
pub(super) fn resolve(
    key: &str,
    reference: &str,
    env: &Environment,
) -> Result<SecretString, SettingsError> {
    let invalid = |problem: String| SettingsError::Secret {
        key: key.to_owned(),
        problem,
    };
    if let Some(name) = reference.strip_prefix("env:") {
        let secret = variable(name, env).map_err(|error| invalid(error.to_string()))?;
        return secret.ok_or_else(|| {
            invalid(format!(
                "the variable {name} is not set (nor {name}_FILE); set it, or change the reference"
            ))
        });
    }
    if let Some(path) = reference.strip_prefix("file:") {
        return from_file(path).map_err(|error| invalid(error.to_string()));
    }
    Err(invalid(
        "a secret cannot be written into a configuration file; write a reference to it, \"env:NAME\" or \"file:PATH\"".to_owned(),
    ))
}

/// Returns the secret in the variable `name`, or in the file named by `<name>_FILE`; `None` if neither is set.
pub(super) fn variable(name: &str, env: &Environment) -> Result<Option<SecretString>, SecretError> {
    if let Some(raw) = env.raw(name) {
        let text = raw
            .to_str()
            .ok_or_else(|| SecretError::NotUtf8(name.to_owned()))?;
        if text.is_empty() {
            return Err(SecretError::EmptyVariable(name.to_owned()));
        }
        return Ok(Some(text.into()));
    }
    let variable = format!("{name}_FILE");
    match env.text(&variable) {
        Some("") => Err(SecretError::EmptyPath(variable)),
        Some(path) => from_file(path)
            .map(Some)
            .map_err(|error| SecretError::File {
                variable,
                error: Box::new(error),
            }),
        None => Ok(None),
    }
}

/// Returns the administrator's token from the variable, else from the reference; `None` if both are missing.
///
/// Fails if the token is too short or cannot be sent in a header.
pub(super) fn admin_token(
    reference: &str,
    env: &Environment,
) -> Result<Option<AdminToken>, SettingsError> {
    let invalid = |key: &str, problem: String| SettingsError::Secret {
        key: key.to_owned(),
        problem,
    };
    let from_variable =
        variable(ADMIN_TOKEN, env).map_err(|error| invalid(ADMIN_TOKEN, error.to_string()))?;
    let (key, secret) = match from_variable {
        Some(secret) => (ADMIN_TOKEN, secret),
        None if reference.is_empty() => return Ok(None),
        None => (ADMIN_TOKEN_KEY, resolve(ADMIN_TOKEN_KEY, reference, env)?),
    };
    AdminToken::new(&secret)
        .map(Some)
        .map_err(|error| invalid(key, error.to_string()))
}

fn from_file(path: &str) -> Result<SecretString, SecretError> {
    let text = std::fs::read_to_string(path).map_err(|error| SecretError::Unreadable {
        path: path.to_owned(),
        error,
    })?;
    // Some editors put a byte order mark before the text.
    let text = text.trim_start_matches('\u{FEFF}');
    // Editors and `docker secret` files end with one line break, which is not part of the secret.
    let secret = text
        .strip_suffix('\n')
        .map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    if secret.is_empty() {
        return Err(SecretError::EmptyFile(path.to_owned()));
    }
    Ok(secret.into())
}
