//! Where each setting comes from: the configuration file or a variable. Error messages name it.

use std::collections::BTreeMap;

use super::SettingsError;

/// Maps a key to the variable that sets it; all other keys come from the file.
pub(super) struct Provenance {
    /// Path of the file, or the environment if there is no file.
    file: String,
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
            variables: BTreeMap::new(),
            used: vec![],
        }
    }

    /// Sets the path of the configuration file.
    pub(super) fn set_file(&mut self, path: String) {
        self.file = path;
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
