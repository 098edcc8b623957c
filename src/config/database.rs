//! Section `[database]`. By default the URL comes from `DATABASE_URL` or `DATABASE_URL_FILE`.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

use super::Environment;
use super::secrets::{SecretReader, SecretScope};
use super::values::SecretRef;
use super::{Provenance, SettingsError};
use crate::db::backends::MIN_CONNECTIONS;

/// The application's Postgres.
#[derive(Debug, Clone)]
pub struct Database {
    /// URL; it contains a password.
    pub url: Option<SecretString>,
    /// The reference that names the URL.
    pub(super) reference: SecretRef,
    /// Folder of the configuration file, if the reference is a file.
    pub(super) folder: Option<PathBuf>,
    /// Why there is no URL. Commands that connect report it; the others work without one.
    pub missing: Option<String>,
    /// True if `leaver serve` applies pending migrations first.
    pub migrate: bool,
    /// Protection that a connection to another machine needs.
    pub tls: DatabaseTls,
    /// Folder for the state file; `None` for no file.
    pub state_dir: Option<PathBuf>,
    /// Largest number of connections of `leaver serve`.
    pub max_connections: u32,
}

impl Database {
    /// Reads the URL again from where its reference points. A file may have changed; a variable of the process cannot.
    ///
    /// # Errors
    /// Returns why it cannot be read.
    pub(crate) fn read_url(&self, env: &Environment) -> Result<SecretString, String> {
        let scope = SecretScope::database();
        SecretReader::new(env, &scope, self.folder.as_deref()).database_url(&self.reference)
    }
}

/// Protection that a connection to another machine needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DatabaseTls {
    /// TLS with a verified certificate that names the host.
    VerifyFull,
    /// Nothing: the mode of the URL applies.
    Unverified,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDatabase {
    url: SecretRef,
    migrate: bool,
    tls: DatabaseTls,
    state_dir: PathBuf,
    max_connections: u32,
}

impl RawDatabase {
    pub(super) fn build(
        &self,
        secrets: &SecretReader<'_>,
        provenance: &Provenance,
    ) -> Result<Database, SettingsError> {
        provenance.require_minimum(
            "database.max_connections",
            self.max_connections >= MIN_CONNECTIONS,
            &MIN_CONNECTIONS.to_string(),
        )?;
        let (url, missing) = match secrets.database_url(&self.url) {
            Ok(url) => (Some(url), None),
            Err(missing) => (None, Some(missing)),
        };
        Ok(Database {
            url,
            reference: self.url.clone(),
            folder: provenance
                .folder()
                .filter(|_| self.url.0.starts_with("file:"))
                .map(PathBuf::from),
            missing,
            migrate: self.migrate,
            tls: self.tls,
            state_dir: Some(self.state_dir.clone()).filter(|path| !path.as_os_str().is_empty()),
            max_connections: self.max_connections,
        })
    }
}
