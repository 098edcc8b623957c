//! Where secrets are: a configuration says `env:NAME` or `file:PATH`, never the secret itself.

use secrecy::SecretString;

use super::{Environment, SettingsError};
use crate::api::admin::AdminToken;

/// The variable of the administrator's token.
const ADMIN_TOKEN: &str = "LEAVER_ADMIN_TOKEN";

/// The key that says where else it is.
const ADMIN_TOKEN_KEY: &str = "server.admin_token";

/// Fetches a secret from where the configuration says it is.
pub(super) fn resolve(
    key: &str,
    reference: &str,
    env: &Environment,
) -> Result<SecretString, SettingsError> {
    let wrong = |problem: String| SettingsError::Secret {
        key: key.to_owned(),
        problem,
    };
    if let Some(name) = reference.strip_prefix("env:") {
        return variable(name, env)
            .map_err(&wrong)?
            .ok_or_else(|| wrong(format!("the variable {name} is not set (nor {name}_FILE); set it, or point the setting elsewhere")));
    }
    if let Some(path) = reference.strip_prefix("file:") {
        return from_file(path).map_err(wrong);
    }
    Err(wrong(
        "a secret is not written into a configuration file: write \"env:NAME\" or \"file:PATH\" to say where it is".to_owned(),
    ))
}

/// A secret from `NAME`, or from the file that `NAME_FILE` names; `None` when neither is set.
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
            "the variable {name}_FILE is set but empty; name a file in it, or unset it"
        )),
        Some(path) => from_file(path)
            .map(Some)
            .map_err(|problem| format!("{name}_FILE: {problem}")),
        None => Ok(None),
    }
}

/// The administrator's token: from the variable, else from where the file says; none when neither names one.
pub(super) fn admin_token(
    reference: &str,
    env: &Environment,
) -> Result<Option<AdminToken>, SettingsError> {
    let wrong = |key: &str, problem: String| SettingsError::Secret {
        key: key.to_owned(),
        problem,
    };
    let of_variable = variable(ADMIN_TOKEN, env).map_err(|problem| wrong(ADMIN_TOKEN, problem))?;
    let (key, secret) = match of_variable {
        Some(secret) => (ADMIN_TOKEN, secret),
        None if reference.is_empty() => return Ok(None),
        None => (ADMIN_TOKEN_KEY, resolve(ADMIN_TOKEN_KEY, reference, env)?),
    };
    AdminToken::new(&secret)
        .map(Some)
        .map_err(|weak| wrong(key, weak.to_string()))
}

fn from_file(path: &str) -> Result<SecretString, String> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))?;
    // Editors and container secrets end a file with one line break, which is not part of the secret.
    let secret = text.strip_suffix('\n').map_or(text.as_str(), |line| {
        line.strip_suffix('\r').unwrap_or(line)
    });
    if secret.is_empty() {
        return Err(format!("the file {path} is empty"));
    }
    Ok(secret.into())
}
