//! Resolves references to secrets: `env:NAME` is the variable `NAME` or the file named by `NAME_FILE`, and
//! `file:PATH` is a file, by default beside the configuration file. Variables: `LEAVER_ADMIN_TOKEN`, `LEAVER_ADMIN_TOKEN_FILE`.

mod file;
mod location;
mod report;
mod rules;
mod scope;
mod shared;

use std::cell::RefCell;
use std::path::Path;

use secrecy::SecretString;

use self::file::SecretError;
pub(super) use self::location::leads_to_secret;
pub(crate) use self::report::SecretReport;
pub use self::scope::SecretScope;
use self::shared::{Purpose, Used};
use super::values::SecretRef;
use super::{Environment, SettingsError, misspelt};
use crate::api::auth::AdminToken;
use leaver_core::domain::Provider;
use leaver_core::signature::Key;

/// The variable that overrides [`ADMIN_TOKEN_KEY`].
pub(super) const ADMIN_TOKEN: &str = "LEAVER_ADMIN_TOKEN";

/// The key that holds a reference to the administrator's token.
pub(super) const ADMIN_TOKEN_KEY: &str = "server.admin_token";

/// Reads the secrets of a scope, and remembers where each was found.
pub(super) struct SecretReader<'a> {
    env: &'a Environment,
    scope: &'a SecretScope<'a>,
    /// Folder of the configuration file.
    folder: Option<&'a Path>,
    report: RefCell<SecretReport>,
    used: RefCell<Vec<Used>>,
}

fn invalid(key: &str, problem: &(impl ToString + ?Sized)) -> SettingsError {
    SettingsError::Secret {
        key: key.to_owned(),
        problem: problem.to_string(),
    }
}

impl<'a> SecretReader<'a> {
    pub(super) fn new(
        env: &'a Environment,
        scope: &'a SecretScope<'a>,
        folder: Option<&'a Path>,
    ) -> Self {
        Self {
            env,
            scope,
            folder,
            report: RefCell::default(),
            used: RefCell::default(),
        }
    }

    /// Fails if one secret has two purposes. Returns the remarks about the secrets.
    pub(super) fn finish(self) -> Result<SecretReport, SettingsError> {
        let (used, mut report) = (self.used.into_inner(), self.report.into_inner());
        shared::refuse_shared(&used)?;
        for (setting, earlier) in shared::repeated(&used) {
            report.add_repeated(setting, earlier);
        }
        Ok(report)
    }

    /// Adds a remark for each variable that probably should set something and does not. `used` are the variables that are
    /// read. Without `[[sources]]` sections, the variables of each provider are read too.
    pub(super) fn remark_misspelt(&self, used: &[String], has_sections: bool) {
        let mut used = used.to_vec();
        used.push("DATABASE_URL".to_owned());
        if !has_sections {
            for provider in Provider::all() {
                let variable = format!("{}_WEBHOOK_SECRET", provider.as_str().to_uppercase());
                used.extend([format!("{variable}_PREVIOUS"), variable]);
            }
        }
        self.report
            .borrow_mut()
            .add_misspelt(misspelt::find(self.env, &used));
    }

    /// Returns whether a variable or its `_FILE` twin is set. Reads neither.
    pub(super) fn is_set(&self, variable: &str) -> bool {
        let is_set = |name: &str| self.env.raw(name).is_some();
        is_set(variable) || is_set(&format!("{variable}_FILE"))
    }

    /// Returns the URL of the database, or why there is none.
    pub(super) fn database_url(&self, reference: &SecretRef) -> Result<SecretString, String> {
        if !self.scope.has_database() {
            return Err("database.url: this command reads no database URL".to_owned());
        }
        let url = self.resolve("database.url", reference);
        url.map_err(|error| error.to_string())
    }

    /// Returns the webhook keys of a source that are in the scope. `path` is the key of the list.
    pub(super) fn webhook_keys(
        &self,
        source: &str,
        path: &str,
        references: &[SecretRef],
    ) -> Result<Vec<Key>, SettingsError> {
        let count = self.scope.webhook_keys(source, references.len());
        let setting = |n: usize| format!("{path}[{n}]");
        let mut keys = vec![];
        for (n, reference) in references.iter().enumerate() {
            if n >= count {
                refuse_literal(&setting(n), reference)?;
                continue;
            }
            let secret = self.resolve(&setting(n), reference)?;
            keys.push(self.webhook_key(source, &setting(n), &secret)?);
        }
        Ok(keys)
    }

    /// Does the same with the variables of a source without a section. Those that are not set are left out.
    pub(super) fn webhook_keys_of_variables(
        &self,
        source: &str,
        variables: &[&str],
    ) -> Result<Vec<Key>, SettingsError> {
        let count = self.scope.webhook_keys(source, variables.len());
        let mut keys = vec![];
        for variable in variables.iter().take(count) {
            let secret = self.variable(variable, variable);
            if let Some(secret) = secret.map_err(|error| invalid(variable, &error))? {
                keys.push(self.webhook_key(source, variable, &secret)?);
            }
        }
        Ok(keys)
    }

    /// Makes a key that verifies signatures. `setting` is the key or variable that holds the secret.
    fn webhook_key(
        &self,
        source: &str,
        setting: &str,
        secret: &SecretString,
    ) -> Result<Key, SettingsError> {
        rules::check_webhook_key(secret).map_err(|error| invalid(setting, &error))?;
        let key = Key::new(secret).map_err(|error| invalid(setting, &error))?;
        let mut report = self.report.borrow_mut();
        report.add_weaknesses(setting, secret);
        self.remember(setting, Purpose::Webhooks(source.to_owned()), &key);
        Ok(key)
    }

    /// Returns the API key of a source, or `None` if it is not in the scope.
    pub(super) fn api_key(
        &self,
        source: &str,
        provider: Provider,
        setting: &str,
        reference: &SecretRef,
    ) -> Result<Option<SecretString>, SettingsError> {
        let is_read = self.scope.has_api(source, provider);
        self.credential(setting, reference, is_read, Purpose::Api)
    }

    /// Returns the token of a linked account, or `None` if it is not in the scope.
    pub(super) fn account_token(
        &self,
        source: &str,
        provider: Provider,
        has_api: bool,
        setting: &str,
        reference: &SecretRef,
    ) -> Result<Option<SecretString>, SettingsError> {
        let is_read = self.scope.has_account_tokens(source, provider, has_api);
        self.credential(setting, reference, is_read, Purpose::Api)
    }

    /// Returns the value of a header for the collector of traces, or `None` if it is not in the scope.
    pub(super) fn trace_header(
        &self,
        setting: &str,
        reference: &SecretRef,
    ) -> Result<Option<SecretString>, SettingsError> {
        let is_read = self.scope.has_traces();
        self.credential(setting, reference, is_read, Purpose::Traces)
    }

    /// Returns a secret of a destination, or `None` if it is not in the scope.
    pub(super) fn destination(
        &self,
        destination: &str,
        setting: &str,
        reference: &SecretRef,
    ) -> Result<Option<SecretString>, SettingsError> {
        let is_read = self.scope.has_destination(destination);
        let purpose = Purpose::Destination(destination.to_owned());
        self.credential(setting, reference, is_read, purpose)
    }

    /// Returns the key of the hashes of facts, or `None` if it is not in the scope, or not needed.
    pub(super) fn hash_key(
        &self,
        setting: &str,
        reference: &SecretRef,
        is_needed: bool,
    ) -> Result<Option<Key>, SettingsError> {
        if !is_needed || !self.scope.has_hash_key() {
            refuse_literal(setting, reference)?;
            return Ok(None);
        }
        let secret = self.resolve(setting, reference)?;
        rules::check_hash_key(&secret).map_err(|error| invalid(setting, &error))?;
        let key = Key::new(&secret).map_err(|error| invalid(setting, &error))?;
        self.report.borrow_mut().add_weaknesses(setting, &secret);
        self.remember(setting, Purpose::HashKey, &key);
        Ok(Some(key))
    }

    fn credential(
        &self,
        setting: &str,
        reference: &SecretRef,
        is_read: bool,
        purpose: Purpose,
    ) -> Result<Option<SecretString>, SettingsError> {
        if !is_read {
            refuse_literal(setting, reference)?;
            return Ok(None);
        }
        let secret = self.resolve(setting, reference)?;
        rules::check_not_blank(&secret)
            .map_err(|_| invalid(setting, "the secret is blank; set it"))?;
        self.remember_secret(setting, purpose, &secret);
        Ok(Some(secret))
    }

    /// Returns the administrator's token from the variable, else from the reference; `None` if both are missing, or if it is
    /// not in the scope.
    ///
    /// Fails if the token is too short, a known example, or cannot be sent in a header.
    pub(super) fn admin_token(
        &self,
        reference: &SecretRef,
    ) -> Result<Option<AdminToken>, SettingsError> {
        let is_missing = reference.0.is_empty();
        if !self.scope.has_admin_token() {
            if !is_missing {
                refuse_literal(ADMIN_TOKEN_KEY, reference)?;
            }
            return Ok(None);
        }
        let from_variable = self.variable(ADMIN_TOKEN, ADMIN_TOKEN);
        let (key, secret) = match from_variable.map_err(|error| invalid(ADMIN_TOKEN, &error))? {
            Some(secret) => (ADMIN_TOKEN, secret),
            None if is_missing => return Ok(None),
            None => (ADMIN_TOKEN_KEY, self.resolve(ADMIN_TOKEN_KEY, reference)?),
        };
        let token = AdminToken::new(&secret).map_err(|error| invalid(key, &error))?;
        rules::check_not_example(&secret).map_err(|_| {
            invalid(
                key,
                "the token is a published example, which others know too; make one with `openssl rand -hex 32`",
            )
        })?;
        self.report.borrow_mut().add_weak_token(key, &secret);
        self.remember_secret(key, Purpose::AdminToken, &secret);
        Ok(Some(token))
    }

    /// Returns the secret that a reference names. `key` is the setting that holds the reference.
    ///
    /// Fails if the text is not a reference, or the secret is missing, empty or not UTF-8.
    fn resolve(&self, key: &str, reference: &SecretRef) -> Result<SecretString, SettingsError> {
        refuse_literal(key, reference)?;
        if let Some(path) = reference.0.strip_prefix("file:") {
            let path = location::find(path, self.folder, self.env);
            return self.file(key, &path).map_err(|error| invalid(key, &error));
        }
        let name = reference.0.trim_start_matches("env:");
        let secret = self.variable(key, name);
        secret
            .map_err(|error| invalid(key, &error))?
            .ok_or_else(|| {
                let similar = misspelt::set_instead_of(self.env, name);
                let advice = similar.map_or_else(
                    || "set it, or change the reference".to_owned(),
                    |similar| format!("{similar} is set: rename it, or change the reference"),
                );
                let text = format!("the variable {name} is not set (nor {name}_FILE); {advice}");
                invalid(key, &text)
            })
    }

    /// Returns the secret in the variable `name`, or in the file named by `<name>_FILE`; `None` if neither is set.
    fn variable(&self, key: &str, name: &str) -> Result<Option<SecretString>, SecretError> {
        if let Some(raw) = self.env.raw(name) {
            let text = raw
                .to_str()
                .ok_or_else(|| SecretError::NotUtf8(name.to_owned()))?;
            if text.is_empty() {
                return Err(SecretError::EmptyVariable(name.to_owned()));
            }
            return Ok(Some(text.into()));
        }
        let variable = format!("{name}_FILE");
        match self.env.text(&variable) {
            Some("") => Err(SecretError::EmptyPath(variable)),
            Some(path) => self
                .file(key, path)
                .map(Some)
                .map_err(|error| SecretError::File {
                    variable,
                    error: Box::new(error),
                }),
            None => Ok(None),
        }
    }

    fn file(&self, key: &str, path: &str) -> Result<SecretString, SecretError> {
        let found = file::read(path)?;
        self.report.borrow_mut().add_file(key, path, &found);
        Ok(found.secret)
    }

    fn remember_secret(&self, setting: &str, purpose: Purpose, secret: &SecretString) {
        // The caller has refused an empty secret.
        if let Ok(key) = Key::new(secret) {
            self.remember(setting, purpose, &key);
        }
    }

    fn remember(&self, setting: &str, purpose: Purpose, key: &Key) {
        self.used.borrow_mut().push(Used {
            setting: setting.to_owned(),
            purpose,
            key: key.clone(),
        });
    }
}

/// Fails if the text is not a reference, since it may be the secret itself.
fn refuse_literal(key: &str, reference: &SecretRef) -> Result<(), SettingsError> {
    let is_reference = ["env:", "file:"]
        .iter()
        .any(|form| reference.0.starts_with(form));
    if is_reference {
        return Ok(());
    }
    Err(invalid(
        key,
        "a secret cannot be written into a configuration file; write a reference to it, \"env:NAME\" or \"file:PATH\"",
    ))
}
