//! Where each setting comes from: the configuration file or a variable. Error messages and `leaver config show` name it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::SettingsError;

/// Maps a key to the variable that sets it; all other keys come from the file.
pub(super) struct Provenance {
    /// Path of the file, or the environment if there is no file.
    file: String,
    /// Folder of the file, if there is one.
    folder: Option<PathBuf>,
    /// Keys that the file sets, each with its line.
    lines: BTreeMap<String, usize>,
    /// Keys that variables set, each with its variable's name.
    variables: BTreeMap<String, String>,
    /// Variables that the settings refer to, and those with names of their own.
    used: Vec<String>,
}

impl Provenance {
    /// Starts with settings that come from the environment only.
    pub(super) fn new() -> Self {
        Self {
            file: "the environment".to_owned(),
            folder: None,
            lines: BTreeMap::new(),
            variables: BTreeMap::new(),
            used: vec![],
        }
    }

    /// Sets the path and the text of the configuration file.
    pub(super) fn set_file(&mut self, path: String, text: &str) {
        self.folder = Path::new(&path).parent().map(Path::to_owned);
        if let Ok(table) = DeTable::parse(text) {
            add_lines(text, "", table.get_ref(), &mut self.lines);
        }
        self.file = path;
    }

    /// Returns the folder of the configuration file, if there is one.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// Returns the variable that sets this key or a key around it.
    pub(super) fn variable_of(&self, key: &str) -> Option<&str> {
        around(key).find_map(|key| self.variables.get(key).map(String::as_str))
    }

    /// Returns the file and the line that set this key or a key around it.
    pub(super) fn line_of(&self, key: &str) -> Option<(&str, usize)> {
        let line = around(key).find_map(|key| self.lines.get(key).copied())?;
        Some((&self.file, line))
    }

    /// Records that a variable sets this key.
    pub(super) fn set_variable(&mut self, key: String, variable: String) {
        self.variables.insert(key, variable);
    }

    /// Records variables that are read.
    pub(super) fn add_used(&mut self, variables: impl IntoIterator<Item = String>) {
        self.used.extend(variables);
    }

    /// Returns the variables that are read.
    pub(super) fn used(&self) -> &[String] {
        &self.used
    }

    /// Returns the variable that sets this key or a key inside it, else the file.
    pub(super) fn of(&self, key: &str) -> String {
        let is_within = |inner: &str, outer: &str| {
            inner
                .strip_prefix(outer)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.variables
            .iter()
            .find(|(set, _)| is_within(key, set) || is_within(set, key))
            .map_or_else(
                || self.file.clone(),
                |(_, variable)| format!("the environment ({variable})"),
            )
    }

    /// Makes the error for an invalid value of this key.
    pub(super) fn invalid_setting(&self, key: &str, problem: impl Into<String>) -> SettingsError {
        SettingsError::Value {
            origin: self.of(key),
            key: key.to_owned(),
            problem: problem.into(),
        }
    }
}

/// Returns a key and the keys around it, from the inside out: `a[0].b`, `a[0]`, `a`.
fn around(key: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(key), |key| {
        let end = key.rfind(['.', '['])?;
        Some(&key[..end])
    })
}

/// Adds the line of each key of a table that is no table itself, or is written as one value.
fn add_lines(text: &str, path: &str, table: &DeTable<'_>, lines: &mut BTreeMap<String, usize>) {
    for (key, value) in table {
        let name = key.get_ref();
        let path = match path {
            "" => name.to_string(),
            _ => format!("{path}.{name}"),
        };
        add_value(text, &path, key.span().start, value.get_ref(), lines);
    }
}

fn add_value(
    text: &str,
    path: &str,
    start: usize,
    value: &DeValue<'_>,
    lines: &mut BTreeMap<String, usize>,
) {
    match value {
        DeValue::Table(inner) => add_lines(text, path, inner, lines),
        DeValue::Array(list) => {
            lines.insert(path.to_owned(), line_at(text, start));
            for (n, one) in list.iter().enumerate() {
                add_value(
                    text,
                    &format!("{path}[{n}]"),
                    one.span().start,
                    one.get_ref(),
                    lines,
                );
            }
        }
        _ => {
            lines.insert(path.to_owned(), line_at(text, start));
        }
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|b| *b == b'\n').count()
}
