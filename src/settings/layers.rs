//! Lays the file over the defaults and the environment over both, and reads the result.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{DEFAULTS, Environment, Raw, SettingsError};

/// The variables that have a name of their own, and the keys they stand for.
const NAMED: [(&str, &str, &str); 3] = [
    ("LEAVER_LISTEN", "server", "listen"),
    ("LEAVER_LOG", "log", "filter"),
    ("LEAVER_LOG_FORMAT", "log", "format"),
];

/// Everything put together, and a word for where a mistake would stand.
pub(super) fn read(file: Option<&Path>, env: &Environment) -> Result<(Raw, String), SettingsError> {
    let mut table = parse(DEFAULTS, "the built-in defaults")?;
    let file = file
        .map(Path::to_owned)
        .or_else(|| env.text("LEAVER_CONFIG").map(PathBuf::from));
    let mut origin = "the environment".to_owned();
    if let Some(path) = file {
        origin = path.display().to_string();
        let text = std::fs::read_to_string(&path)
            .map_err(|source| SettingsError::Read { path, source })?;
        let written = parse(&text, &origin)?;
        check(with(table.clone(), written.clone()), &origin)?;
        table = with(table, written);
    }
    let mut variables = vec![];
    for (variable, section, key) in NAMED {
        if let Some(text) = env.text(variable) {
            set(&mut table, section, key, Value::String(text.to_owned()));
            variables.push(variable.to_owned());
        }
    }
    for (rest, text) in env.beginning("LEAVER__") {
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
        let mut target = &mut table;
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
        variables.push(name);
    }
    let where_to_look = if variables.is_empty() {
        origin.clone()
    } else {
        format!("the environment ({})", variables.join(", "))
    };
    Ok((check(table, &where_to_look)?, origin))
}

fn parse(text: &str, origin: &str) -> Result<Table, SettingsError> {
    text.parse::<Table>().map_err(|error| {
        let line = error.span().map_or(0, |span| {
            text[..span.start.min(text.len())].lines().count().max(1)
        });
        SettingsError::Syntax {
            origin: origin.to_owned(),
            problem: format!("line {line}: {}", error.message()),
        }
    })
}

fn check(table: Table, origin: &str) -> Result<Raw, SettingsError> {
    serde_path_to_error::deserialize(Value::Table(table)).map_err(|error| {
        let problem = error.inner().message().trim().to_owned();
        SettingsError::Value {
            origin: origin.to_owned(),
            key: error.path().to_string(),
            problem,
        }
    })
}

/// Sections are merged key by key; anything else is replaced whole.
fn with(mut below: Table, above: Table) -> Table {
    for (key, value) in above {
        let merged = match (below.remove(&key), value) {
            (Some(Value::Table(old)), Value::Table(new)) => Value::Table(with(old, new)),
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

/// A variable's text as TOML where it reads as such (numbers, booleans, lists), else as a string.
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
