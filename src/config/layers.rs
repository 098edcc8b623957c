//! Merges the layers: the file overrides the defaults, and the environment overrides both.
//! Variables: `LEAVER_CONFIG`, `LEAVER__SECTION__KEY`, and those in [`NAMED`].

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::toml_errors::describe_toml_error;
use super::{DEFAULTS, Environment, Provenance, Raw, SettingsError, variables};

/// Variables with names of their own, each with the section and key that it sets.
pub(super) const NAMED: [(&str, &str, &str); 5] = [
    ("LEAVER_LISTEN", "server", "listen"),
    ("LEAVER_ADMIN_LISTEN", "server", "admin_listen"),
    ("LEAVER_PUBLIC_URL", "server", "public_url"),
    ("LEAVER_LOG", "log", "filter"),
    ("LEAVER_LOG_FORMAT", "log", "format"),
];

/// Variables that other files read.
const OTHERS: [&str; 3] = [
    "LEAVER_CONFIG",
    "LEAVER_ADMIN_TOKEN",
    "LEAVER_ADMIN_TOKEN_FILE",
];

/// Returns the merged layers and where each key comes from.
pub(super) fn read(
    file: Option<&Path>,
    env: &Environment,
) -> Result<(Raw, Provenance), SettingsError> {
    let (table, provenance) = merged(file, env)?;
    Ok((deserialize(table, &provenance)?, provenance))
}

/// Returns the merged layers as written and where each key comes from. The last layer is not deserialized.
pub(super) fn merged(
    file: Option<&Path>,
    env: &Environment,
) -> Result<(Table, Provenance), SettingsError> {
    let defaults = parse(DEFAULTS, "the built-in defaults")?;
    let mut table = defaults.clone();
    let default_shape = take_default_shape(&mut table);
    let file = match (file, env.text("LEAVER_CONFIG")) {
        (Some(path), _) => Some(path.to_owned()),
        (None, Some("")) => {
            return Err(SettingsError::Value {
                origin: "the environment".to_owned(),
                key: "LEAVER_CONFIG".to_owned(),
                problem: "it is set but empty; set it to the path of a file, or unset it"
                    .to_owned(),
            });
        }
        (None, named) => named.map(PathBuf::from),
    };
    let mut provenance = Provenance::new();
    if let Some(path) = file {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(&path)
            .map_err(|source| SettingsError::Read { path, source })?;
        // Some editors put a byte order mark before the text.
        let text = text.trim_start_matches('\u{FEFF}');
        table = merge(table, parse(text, &name)?);
        provenance.set_file(name, text);
        // Checked before the variables are merged: an invalid file is an error even if a variable overrides it.
        deserialize(table.clone(), &provenance)?;
    }
    apply_variables(&mut table, env, &mut provenance, &defaults)?;
    let named: Vec<&str> = NAMED.iter().map(|(name, ..)| *name).collect();
    let named = [&named[..], &OTHERS].concat();
    variables::refuse_unknown(env, &named, &defaults, &table)?;
    provenance.add_used(variables::references(&table));
    provenance.add_used(named.iter().map(|&name| name.to_owned()));
    restore_default_shape(&mut table, default_shape);
    Ok((table, provenance))
}

/// The keys of which exactly one names the column that stores access.
const SHAPES: [&str; 4] = [
    "active_column",
    "disabled_column",
    "deactivated_at_column",
    "status_column",
];

/// Removes the default of `accounts.active_column`, so that it does not collide with another shape in a layer above.
fn take_default_shape(table: &mut Table) -> Option<Value> {
    let accounts = table.get_mut("accounts")?.as_table_mut()?;
    accounts.remove(SHAPES[0])
}

/// Puts the default back if no layer sets a shape.
fn restore_default_shape(table: &mut Table, default: Option<Value>) {
    let accounts = table.get_mut("accounts").and_then(Value::as_table_mut);
    if let (Some(accounts), Some(default)) = (accounts, default) {
        let is_set = |key: &&str| {
            accounts
                .get(*key)
                .is_some_and(|value| value.as_str() != Some(""))
        };
        if !SHAPES.iter().any(is_set) && !accounts.contains_key(SHAPES[0]) {
            accounts.insert(SHAPES[0].to_owned(), default);
        }
    }
}

/// Sets the keys that variables name. Fails if a variable's name is not a key in a section.
fn apply_variables(
    table: &mut Table,
    env: &Environment,
    provenance: &mut Provenance,
    defaults: &Table,
) -> Result<(), SettingsError> {
    for (variable, section, key) in NAMED {
        if let Some(text) = env.text(variable) {
            set(table, section, key, Value::String(text.to_owned()));
            let key = format!("{section}.{key}");
            provenance.set_variable(key, variable.to_owned());
        }
    }
    for (rest, text) in env.with_prefix("LEAVER__") {
        let name = format!("LEAVER__{rest}");
        let path: Vec<String> = rest.split("__").map(str::to_lowercase).collect();
        let (key, sections) = match path.split_last() {
            Some((key, sections)) if !sections.is_empty() => (key, sections),
            _ => {
                return Err(SettingsError::Value {
                    origin: "the environment".to_owned(),
                    key: name,
                    problem: "write it as LEAVER__SECTION__KEY".to_owned(),
                });
            }
        };
        if !variables::is_key(defaults, &path) {
            return Err(variables::unknown(&name, &[], defaults));
        }
        let mut target = &mut *table;
        for section in sections {
            let entry = target
                .entry(section.clone())
                .or_insert_with(|| Value::Table(Table::new()));
            let Value::Table(inner) = entry else {
                return Err(SettingsError::Value {
                    origin: "the environment".to_owned(),
                    key: name,
                    problem: format!("`{section}` is not a section"),
                });
            };
            target = inner;
        }
        target.insert(key.clone(), value_of(text));
        provenance.set_variable(path.join("."), name);
    }
    Ok(())
}

fn parse(text: &str, origin: &str) -> Result<Table, SettingsError> {
    text.parse::<Table>().map_err(|error| {
        let line = error.span().map_or(1, |span| {
            1 + text
                .bytes()
                .take(span.start)
                .filter(|b| *b == b'\n')
                .count()
        });
        SettingsError::Syntax {
            origin: origin.to_owned(),
            problem: format!("line {line}: {}", error.message()),
        }
    })
}

fn deserialize(table: Table, provenance: &Provenance) -> Result<Raw, SettingsError> {
    serde_path_to_error::deserialize(Value::Table(table)).map_err(|error| {
        let problem = error.inner().message().trim();
        let (key, problem) = describe_toml_error(&error.path().to_string(), problem);
        provenance.invalid_setting(&key, problem)
    })
}

/// Merges sections key by key; any other value is replaced.
fn merge(mut below: Table, above: Table) -> Table {
    for (key, value) in above {
        let merged = match (below.remove(&key), value) {
            (Some(Value::Table(old)), Value::Table(new)) => Value::Table(merge(old, new)),
            (_, new) => new,
        };
        below.insert(key, merged);
    }
    below
}

fn set(table: &mut Table, section: &str, key: &str, value: Value) {
    if let Some(Value::Table(inner)) = table.get_mut(section) {
        inner.insert(key.to_owned(), value);
    }
}

/// Returns a variable's text as a TOML value if it is one (number, boolean, list, table), otherwise as a string.
fn value_of(text: &str) -> Value {
    let plain = || Value::String(text.to_owned());
    match format!("value = {text}").parse::<Table>() {
        Ok(mut table) => match table.remove("value") {
            Some(
                value @ (Value::Integer(_)
                | Value::Boolean(_)
                | Value::Array(_)
                | Value::Table(_)
                | Value::String(_)),
            ) if table.is_empty() => value,
            _ => plain(),
        },
        Err(_) => plain(),
    }
}
