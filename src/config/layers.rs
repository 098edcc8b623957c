//! Lays the file over the defaults and the environment over both, and reads the result.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{DEFAULTS, Environment, Raw, SettingsError};

/// The variables that have a name of their own, and the keys they stand for.
const NAMED: [(&str, &str, &str); 3] = [
    ("LEAVER_LISTEN", "server", "listen"),
    ("LEAVER_LOG", "log", "filter"),
    ("LEAVER_LOG_FORMAT", "log", "format"),
];

/// Where each setting was said, for whoever finds a mistake in it.
pub(super) struct Provenance {
    /// The file, or the environment when there is none.
    otherwise: String,
    /// The keys that variables set, with the variable of each.
    variables: BTreeMap<String, String>,
}

impl Provenance {
    /// The variable that set this key, or something in it; else the file.
    pub(super) fn of(&self, key: &str) -> String {
        let within = |inner: &str, outer: &str| {
            inner
                .strip_prefix(outer)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.variables
            .iter()
            .find(|(set, _)| within(key, set) || within(set, key))
            .map_or_else(
                || self.otherwise.clone(),
                |(_, variable)| format!("the environment ({variable})"),
            )
    }
}

/// Everything put together, and where it was said.
pub(super) fn read(
    file: Option<&Path>,
    env: &Environment,
) -> Result<(Raw, Provenance), SettingsError> {
    let mut table = parse(DEFAULTS, "the built-in defaults")?;
    let file = match (file, env.text("LEAVER_CONFIG")) {
        (Some(path), _) => Some(path.to_owned()),
        (None, Some("")) => {
            return Err(SettingsError::Value {
                origin: "the environment".to_owned(),
                key: "LEAVER_CONFIG".to_owned(),
                problem: "it is set but empty; name a file in it, or unset it".to_owned(),
            });
        }
        (None, named) => named.map(PathBuf::from),
    };
    let mut origins = Provenance {
        otherwise: "the environment".to_owned(),
        variables: BTreeMap::new(),
    };
    if let Some(path) = file {
        origins.otherwise = path.display().to_string();
        let text = std::fs::read_to_string(&path)
            .map_err(|source| SettingsError::Read { path, source })?;
        let written = parse(&text, &origins.otherwise)?;
        // Before the variables are laid over it: a mistake in the file is the file's, whoever overrides it.
        check(with(table.clone(), written.clone()), &origins)?;
        table = with(table, written);
    }
    for (variable, section, key) in NAMED {
        if let Some(text) = env.text(variable) {
            set(&mut table, section, key, Value::String(text.to_owned()));
            let key = format!("{section}.{key}");
            origins.variables.insert(key, variable.to_owned());
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
        origins.variables.insert(path.join("."), name);
    }
    Ok((check(table, &origins)?, origins))
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

fn check(table: Table, origins: &Provenance) -> Result<Raw, SettingsError> {
    serde_path_to_error::deserialize(Value::Table(table)).map_err(|error| {
        let key = error.path().to_string();
        SettingsError::Value {
            origin: origins.of(&key),
            problem: in_plain_words(error.inner().message().trim()),
            key,
        }
    })
}

/// What was expected, in the words of somebody who writes TOML and no Rust.
fn in_plain_words(problem: &str) -> String {
    let Some((found, expected)) = problem.rsplit_once(", expected ") else {
        return problem.to_owned();
    };
    let expected = match expected {
        "i32" | "i64" | "u32" | "usize" => "a whole number",
        "a boolean" => "true or false",
        "a sequence" => "a list in brackets",
        word if word.starts_with("struct ") => "a section with keys of its own",
        other => other,
    };
    format!("{found}, expected {expected}")
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
