//! `leaver config env`: every variable that the program reads.

use serde::Serialize;
use toml::{Table, Value};

use super::schema::json_of;
use super::{Key, keys};
use crate::config::secrets::{ADMIN_TOKEN, ADMIN_TOKEN_KEY};
use crate::config::variables::collect_references;
use crate::config::{Environment, layers};
use leaver_core::domain::Provider;

/// A variable of the environment.
#[derive(Debug, Serialize)]
pub(crate) struct Variable {
    /// Its name.
    pub(crate) name: String,
    /// The key that it sets, if it sets one.
    pub(crate) key: Option<String>,
    /// True if it is set now. Its value is never shown.
    pub(crate) is_set: bool,
    /// The value that counts without it; `None` if there is none.
    pub(crate) default: Option<serde_json::Value>,
    /// Its effect.
    pub(crate) meaning: String,
}

/// Variables that set no key, each with its meaning.
const OTHERS: [(&str, &str); 11] = [
    (
        "LEAVER_CONFIG",
        "Path of the configuration file, if the command has no `--config`.",
    ),
    (
        "PG_BINDIR",
        "Folder of the Postgres programs, for `demo` and `serve --embedded`.",
    ),
    (
        "PATH",
        "Where the Postgres programs are found without PG_BINDIR.",
    ),
    (
        "XDG_STATE_HOME",
        "Folder of the data of `serve --embedded`.",
    ),
    ("HOME", "The same without XDG_STATE_HOME."),
    (
        "SUDO_USER",
        "Name of the person in the audit log, if root runs the command through sudo.",
    ),
    (
        "COLUMNS",
        "Width of tables, instead of that of the terminal.",
    ),
    ("NO_COLOR", "If it is not empty, no colours."),
    ("TERM", "With `dumb`, no colours."),
    ("TZ", "Time zone that `leaver init` proposes."),
    (
        "CREDENTIALS_DIRECTORY",
        "Folder in which systemd puts credentials; `file:NAME` is looked up there first.",
    ),
];

/// Returns every variable: those with names of their own, those that hold secrets, those that the settings refer to, and one
/// for each key.
#[must_use]
pub(crate) fn variables(settings: &Table, env: &Environment) -> Vec<Variable> {
    let keys = keys();
    let mut list = List { env, found: vec![] };
    for (name, meaning) in OTHERS {
        list.add(name, None, meaning);
    }
    let key_of = |path: &str| keys.iter().find(|key| key.path == path);
    for (name, section, key) in layers::NAMED {
        list.add_key(name, key_of(&format!("{section}.{key}")));
    }
    if let Some(key) = key_of(ADMIN_TOKEN_KEY) {
        list.add_secret(ADMIN_TOKEN, Some(&key.path), "The token itself.");
    }
    for provider in Provider::all() {
        let name = format!("{}_WEBHOOK_SECRET", provider.as_str().to_uppercase());
        let provider_name = provider.display_name();
        list.add_secret(
            &name,
            None,
            &format!("Key that signs the webhooks of {provider_name}. Without `[[sources]]` it makes the source `{provider}`."),
        );
        let meaning = format!("The previous key of {provider_name}, during a rotation.");
        list.add_secret(&format!("{name}_PREVIOUS"), None, &meaning);
    }
    let mut references = vec![];
    collect_references(settings, &mut references);
    for name in references {
        let meaning = if name == "DATABASE_URL" {
            "URL of the application's Postgres."
        } else {
            "A secret that the configuration refers to."
        };
        list.add_secret(&name, None, meaning);
    }
    for key in keys.iter().filter(|key| !key.is_of_list()) {
        let name = format!("LEAVER__{}", key.path.to_uppercase().replace('.', "__"));
        list.add_key(&name, Some(key));
    }
    list.found
}

struct List<'a> {
    env: &'a Environment,
    found: Vec<Variable>,
}

impl List<'_> {
    fn add(&mut self, name: &str, key: Option<&str>, meaning: &str) {
        if !self.found.iter().any(|one| one.name == name) {
            self.found.push(Variable {
                name: name.to_owned(),
                key: key.map(str::to_owned),
                is_set: self.env.raw(name).is_some(),
                default: None,
                meaning: meaning.to_owned(),
            });
        }
    }

    /// Adds the variable of a secret, and the one that names a file with it.
    fn add_secret(&mut self, name: &str, key: Option<&str>, meaning: &str) {
        self.add(name, key, meaning);
        let meaning = format!("Path of a file with the content of {name}.");
        self.add(&format!("{name}_FILE"), key, &meaning);
    }

    fn add_key(&mut self, name: &str, key: Option<&Key>) {
        let Some(key) = key else { return };
        self.add(name, Some(&key.path), first_sentence(&key.description));
        if let Some(added) = self.found.last_mut().filter(|added| added.name == name) {
            added.default = Some(&key.default)
                .filter(|value| !is_empty(value))
                .map(json_of);
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Table(table) => table.is_empty(),
        _ => false,
    }
}

fn first_sentence(text: &str) -> &str {
    match text.split_once(". ") {
        Some((first, _)) => first,
        None => text.trim_end_matches('.'),
    }
}
