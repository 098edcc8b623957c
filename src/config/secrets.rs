//! Resolves references to secrets: `env:NAME` is the variable `NAME` or the file named by `NAME_FILE`, and
//! `file:PATH` is a file. Variables: `LEAVER_ADMIN_TOKEN`, `LEAVER_ADMIN_TOKEN_FILE`.

use secrecy::SecretString;

use super::{Environment, SettingsError};
use crate::api::auth::AdminToken;

/// The variable that overrides [`ADMIN_TOKEN_KEY`].
const ADMIN_TOKEN: &str = "LEAVER_ADMIN_TOKEN";

/// The key that holds a reference to the administrator's token.
const ADMIN_TOKEN_KEY: &str = "server.admin_token";

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
        return variable(name, env).map_err(&invalid)?.ok_or_else(|| {
            invalid(format!(
                "the variable {name} is not set (nor {name}_FILE); set it, or change the reference"
            ))
        });
    }
    if let Some(path) = reference.strip_prefix("file:") {
        return from_file(path).map_err(invalid);
    }
    Err(invalid(
        "a secret cannot be written into a configuration file; write a reference to it, \"env:NAME\" or \"file:PATH\"".to_owned(),
    ))
}

/// Returns the secret in the variable `name`, or in the file named by `<name>_FILE`; `None` if neither is set.
pub(super) fn variable(name: &str, env: &Environment) -> Result<Option<SecretString>, String> {
    if let Some(raw) = env.raw(name) {
        let text = raw
            .to_str()
            .ok_or_else(|| format!("the variable {name} is not UTF-8"))?;
        if text.is_empty() {
            return Err(format!(
                "the variable {name} is set but empty; give it the secret, or unset it"
            ));
        }
        return Ok(Some(text.into()));
    }
    match env.text(&format!("{name}_FILE")) {
        Some("") => Err(format!(
            "the variable {name}_FILE is set but empty; set it to the path of a file, or unset it"
        )),
        Some(path) => from_file(path)
            .map(Some)
            .map_err(|problem| format!("{name}_FILE: {problem}")),
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
        variable(ADMIN_TOKEN, env).map_err(|problem| invalid(ADMIN_TOKEN, problem))?;
    let (key, secret) = match from_variable {
        Some(secret) => (ADMIN_TOKEN, secret),
        None if reference.is_empty() => return Ok(None),
        None => (ADMIN_TOKEN_KEY, resolve(ADMIN_TOKEN_KEY, reference, env)?),
    };
    AdminToken::new(&secret)
        .map(Some)
        .map_err(|error| invalid(key, error.to_string()))
}

fn from_file(path: &str) -> Result<SecretString, String> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))?;
    // Editors and `docker secret` files end with one line break, which is not part of the secret.
    let secret = text.strip_suffix('\n').map_or(text.as_str(), |line| {
        line.strip_suffix('\r').unwrap_or(line)
    });
    if secret.is_empty() {
        return Err(format!("the file {path} is empty"));
    }
    Ok(secret.into())
}
