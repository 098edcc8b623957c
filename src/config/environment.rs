//! Environment variables, read once at start. Tests pass their own set.

use std::collections::BTreeMap;
use std::ffi::OsString;

/// A set of environment variables.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, OsString>);

impl Environment {
    /// Reads the variables of the process. Variables whose names are not UTF-8 are left out.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the variables of the process"
    )]
    pub fn of_process() -> Self {
        Self(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
                .collect(),
        )
    }

    /// Makes a set from names and values, for tests.
    pub fn of<N: Into<String>, V: Into<OsString>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }

    /// Returns a variable as text; `None` if it is not set or not UTF-8.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.to_str()
    }

    /// Returns a variable unchanged; `None` if it is not set.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&OsString> {
        self.0.get(name)
    }

    /// Returns the same set with this variable, and without the one that names a file for it.
    #[must_use]
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut set = self.without(&format!("{name}_FILE"));
        set.0.insert(name.to_owned(), value.into());
        set
    }

    /// Returns the same set without this variable.
    #[must_use]
    pub(crate) fn without(&self, name: &str) -> Self {
        let mut set = self.clone();
        set.0.remove(name);
        set
    }

    /// Returns the names of all variables.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Returns the variables with this prefix: the rest of each name, and its value.
    pub(super) fn with_prefix<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0
            .iter()
            .filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, value.to_str()?)))
    }
}

impl std::fmt::Debug for Environment {
    /// Prints names only, because values may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
