//! Remarks about secrets that are accepted. They name settings and paths, and no secret.

use secrecy::{ExposeSecret, SecretString};

use super::file::FoundSecret;
use super::rules;
use crate::config::misspelt::Misspelt;

/// Remarks about the secrets that were read.
#[derive(Clone, Debug, Default)]
pub(crate) struct SecretReport {
    remarks: Vec<SecretRemark>,
    misspelt: Vec<String>,
}

/// A remark about one secret.
#[derive(Clone, Debug)]
pub(crate) struct SecretRemark {
    /// The setting or variable that holds it.
    pub(crate) setting: String,
    /// False if nothing has to be done.
    pub(crate) is_warning: bool,
    /// The finding, and what to do about it.
    pub(crate) text: String,
}

impl SecretReport {
    /// Returns the remarks, in the order of reading.
    pub(crate) fn remarks(&self) -> &[SecretRemark] {
        &self.remarks
    }

    /// Returns the misspelt variables as the end of an error message; empty if there are none.
    pub(in crate::config) fn misspelt_hint(&self) -> String {
        let texts = self.misspelt.iter().map(|text| format!("; {text}"));
        texts.collect()
    }

    pub(super) fn add_misspelt(&mut self, found: Vec<Misspelt>) {
        for Misspelt { variable, text } in found {
            self.misspelt.push(format!("{variable}: {text}"));
            self.add(&variable, true, text);
        }
    }

    fn add(&mut self, setting: &str, is_warning: bool, text: impl Into<String>) {
        self.remarks.push(SecretRemark {
            setting: setting.to_owned(),
            is_warning,
            text: text.into(),
        });
    }

    pub(super) fn add_file(&mut self, setting: &str, path: &str, found: &FoundSecret) {
        if found.is_trimmed {
            let text = format!("white space at the ends of the file {path} was removed");
            self.add(setting, false, text);
        }
        if found.is_open_to_others {
            let text = format!(
                "the file {path} can be read or changed by every user of this machine; run: chmod o-rwx {path}"
            );
            self.add(setting, true, text);
        }
    }

    /// Adds a remark if a token could be guessed.
    pub(super) fn add_weak_token(&mut self, setting: &str, secret: &SecretString) {
        if rules::is_repetitive(secret) {
            let text = "the token repeats very few characters, so it could be guessed; make one with `openssl rand -hex 32`";
            self.add(setting, true, text);
        }
    }

    /// Adds a remark about a key that stands twice in one source.
    pub(super) fn add_repeated(&mut self, setting: &str, earlier: &str) {
        let text = format!(
            "it holds the same key as `{earlier}`, so it adds nothing; set another key, or remove it"
        );
        self.add(setting, true, text);
    }

    /// Adds a remark if others know or could guess a key that signs events.
    pub(super) fn add_weak_signing_key(&mut self, setting: &str, secret: &SecretString) {
        if let Some(weakness) = rules::weakness_of_signing_key(secret) {
            let text = format!(
                "{weakness}; make one with `printf 'whsec_%s\\n' \"$(openssl rand -base64 32)\"`"
            );
            self.add(setting, true, text);
        }
    }

    pub(super) fn add_weaknesses(&mut self, setting: &str, secret: &SecretString) {
        if rules::is_of_tests(secret) {
            let text = "the key is published with the tests of this project, so anyone can sign with it; use it for tests only";
            self.add(setting, true, text);
        }
        if rules::is_repetitive(secret) {
            let text = "the key repeats very few characters, so it could be guessed; use the key that the provider generated";
            self.add(setting, true, text);
        }
        if rules::visible(secret) != secret.expose_secret() {
            let text = "the key begins or ends with white space, which is part of it; remove it unless the provider's key has it";
            self.add(setting, true, text);
        }
    }
}
