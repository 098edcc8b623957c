//! `leaver config show`: the merged settings, each with its origin. No value of a secret is among them.

use std::path::Path;

use serde::Serialize;
use toml::{Table, Value};

use super::schema::json_of;
use super::{Key, keys};
use crate::config::secrets::{self, ADMIN_TOKEN, ADMIN_TOKEN_KEY};
use crate::config::{Environment, Provenance, SettingsError, layers};
use leaver_core::domain::Provider;

/// Shown in place of a secret that stands where a reference belongs.
const HIDDEN: &str = "(hidden: no reference to a secret)";

/// The merged settings.
pub(crate) struct Shown(Vec<ShownSetting>);

/// A key with its value and origin.
#[derive(Debug, Serialize)]
pub(crate) struct ShownSetting {
    /// Full path, such as `sources[0].name`.
    pub(crate) key: String,
    /// The value. A secret is shown as its reference.
    pub(crate) value: serde_json::Value,
    /// The layer that sets it.
    pub(crate) origin: Origin,
    /// State of the secret that the value refers to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) secret: Option<SecretState>,
}

/// The layer that sets a value.
#[derive(Debug, Serialize)]
#[serde(tag = "layer", rename_all = "lowercase")]
pub(crate) enum Origin {
    /// `config/default.toml`.
    Default,
    /// The configuration file.
    File {
        /// Its path as given.
        path: String,
        /// The line of the key.
        line: usize,
    },
    /// A variable of the environment.
    Variable {
        /// Its name.
        name: String,
    },
}

/// State of the secret that a reference leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SecretState {
    /// The variable is set, or the file exists.
    Set,
    /// It does not.
    Missing,
}

impl Shown {
    /// Merges the layers. Reads no secret.
    ///
    /// # Errors
    /// [`SettingsError`] if the file cannot be read or has unknown keys or values of a wrong type.
    pub(crate) fn load(file: Option<&Path>, env: &Environment) -> Result<Self, SettingsError> {
        let (mut table, mut provenance) = layers::merged(file, env)?;
        add_implied(&mut table, env, &mut provenance);
        let reader = Reader {
            keys: keys(),
            secret_urls: secret_urls(&table),
            env,
            provenance: &provenance,
        };
        let mut shown = vec![];
        for (section, value) in &table {
            reader.add(section, value, &mut shown);
        }
        shown.sort_by_cached_key(|setting| {
            let source = setting
                .key
                .split_once(']')
                .map(|(source, _)| source.to_owned());
            let source = source.map(|source| (source.len(), source));
            (source, reader.position(&setting.key))
        });
        Ok(Self(shown))
    }

    /// Returns the settings in the order of the reference, then those of each source.
    pub(crate) fn settings(self) -> Vec<ShownSetting> {
        self.0
    }
}

/// Adds the sources and the token that variables set without a key.
fn add_implied(table: &mut Table, env: &Environment, provenance: &mut Provenance) {
    let is_set = |name: &str| env.raw(name).is_some() || env.raw(&format!("{name}_FILE")).is_some();
    if is_set(ADMIN_TOKEN)
        && let Some(Value::Table(server)) = table.get_mut("server")
    {
        let reference = Value::String(format!("env:{ADMIN_TOKEN}"));
        server.insert("admin_token".to_owned(), reference);
        provenance.set_variable(ADMIN_TOKEN_KEY.to_owned(), ADMIN_TOKEN.to_owned());
    }
    if table.contains_key("sources") {
        return;
    }
    let mut sources = vec![];
    for provider in Provider::all() {
        let variable = format!("{}_WEBHOOK_SECRET", provider.as_str().to_uppercase());
        if is_set(&variable) {
            let path = format!("sources[{}]", sources.len());
            let previous = Some(format!("{variable}_PREVIOUS")).filter(|name| is_set(name));
            let secrets = [Some(variable.clone()), previous].into_iter().flatten();
            let secrets = secrets.map(|name| Value::String(format!("env:{name}")));
            let mut source = Table::new();
            source.insert("name".to_owned(), provider.as_str().into());
            source.insert("provider".to_owned(), provider.as_str().into());
            source.insert(
                "webhook_secrets".to_owned(),
                secrets.collect::<Vec<_>>().into(),
            );
            sources.push(Value::Table(source));
            provenance.set_variable(path, variable);
        }
    }
    if !sources.is_empty() {
        table.insert("sources".to_owned(), Value::Array(sources));
    }
}

/// Returns a path such as `sources[0].name` as the reference has it: `sources[].name`.
fn path_in_reference(path: &str) -> String {
    match path
        .split_once('[')
        .map(|(name, rest)| (name, rest.split_once(']')))
    {
        Some((name, Some((_, rest)))) => format!("{name}[]{rest}"),
        _ => path.to_owned(),
    }
}

/// Returns the paths of the URLs that are secrets: the incoming webhooks of Slack.
fn secret_urls(table: &Table) -> Vec<String> {
    let destinations = table.get("destinations").and_then(Value::as_array);
    let destinations = destinations.into_iter().flatten().enumerate();
    destinations
        .filter(|(_, one)| one.get("kind").and_then(Value::as_str) == Some("slack"))
        .map(|(n, _)| format!("destinations[{n}].url"))
        .collect()
}

struct Reader<'a> {
    keys: Vec<Key>,
    secret_urls: Vec<String>,
    env: &'a Environment,
    provenance: &'a Provenance,
}

impl Reader<'_> {
    /// Adds a value, or the values in it if it is a table or a list of tables.
    fn add(&self, path: &str, value: &Value, shown: &mut Vec<ShownSetting>) {
        match value {
            Value::Table(table) if !table.is_empty() => {
                for (key, value) in table {
                    self.add(&format!("{path}.{key}"), value, shown);
                }
            }
            Value::Array(list) if list.iter().any(Value::is_table) => {
                for (n, value) in list.iter().enumerate() {
                    self.add(&format!("{path}[{n}]"), value, shown);
                }
            }
            value => shown.push(self.setting(path, value)),
        }
    }

    fn setting(&self, path: &str, value: &Value) -> ShownSetting {
        let (value, secret) = if self.is_secret(path) {
            self.secret(value)
        } else {
            (without_credentials(value), None)
        };
        ShownSetting {
            key: path.to_owned(),
            value: json_of(&value),
            origin: self.origin(path),
            secret,
        }
    }

    /// Returns the place of a key in the reference.
    fn position(&self, path: &str) -> Option<usize> {
        let path = path_in_reference(path);
        let is_within = |key: &Key| {
            let rest = path.strip_prefix(&key.path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.keys.iter().position(is_within)
    }

    fn is_secret(&self, path: &str) -> bool {
        if self.secret_urls.iter().any(|url| url == path) {
            return true;
        }
        let path = path_in_reference(path);
        let is_token = path.starts_with("sources[].linked_accounts")
            && path.rsplit('.').next() == Some("token");
        let mut keys = self.keys.iter();
        is_token || keys.any(|key| key.path == path && key.kind.is_secret())
    }

    fn origin(&self, path: &str) -> Origin {
        if let Some(name) = self.provenance.variable_of(path) {
            return Origin::Variable {
                name: name.to_owned(),
            };
        }
        match self.provenance.line_of(path) {
            Some((file, line)) => Origin::File {
                path: file.to_owned(),
                line,
            },
            None => Origin::Default,
        }
    }

    /// Returns references as they are, each with its state. Any other text may be a secret.
    fn secret(&self, value: &Value) -> (Value, Option<SecretState>) {
        match value {
            Value::Array(list) => {
                let (values, states): (Vec<_>, Vec<_>) =
                    list.iter().map(|value| self.secret(value)).unzip();
                let is_set = states.iter().all(|state| *state == Some(SecretState::Set));
                (Value::Array(values), Some(state(is_set)))
            }
            Value::String(text) if text.is_empty() => (value.clone(), None),
            Value::String(text) => {
                match secrets::leads_to_secret(text, self.provenance.folder(), self.env) {
                    Some(is_set) => (value.clone(), Some(state(is_set))),
                    None => (Value::String(HIDDEN.to_owned()), None),
                }
            }
            _ => (Value::String(HIDDEN.to_owned()), None),
        }
    }
}

fn state(is_set: bool) -> SecretState {
    if is_set {
        SecretState::Set
    } else {
        SecretState::Missing
    }
}

/// Returns a value without the user, the password and the query of a URL in it.
fn without_credentials(value: &Value) -> Value {
    let Value::String(text) = value else {
        return value.clone();
    };
    let Some((scheme, rest)) = text.split_once("://") else {
        return value.clone();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let user = rest[..end].rfind('@');
    let (hidden, rest) = user.map_or(("", rest), |at| ("...", &rest[at..]));
    let (rest, query) = rest
        .split_once('?')
        .map_or((rest, ""), |(rest, _)| (rest, "?..."));
    Value::String(format!("{scheme}://{hidden}{rest}{query}"))
}
