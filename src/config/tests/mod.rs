//! Settings from variables and files, valid and invalid. Every secret here contains [`MARK`], and every error
//! message is searched for it.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::HeaderMap;
use secrecy::ExposeSecret;

use super::*;
use leaver_core::domain::{Provider, Tenant, WorkEmail};
use leaver_core::providers::Tenancy;
use leaver_core::signature::{Layout, Scheme};

mod documentation;
mod enum_words;
mod events;
mod keys;
mod layers;
mod mistakes;
mod scope;
mod secrets;
mod sources;
mod tenants;
mod variables;

/// A part of every secret.
const MARK: &str = "hush";
const KEY: &str = "hush-current-key";
const OLD_KEY: &str = "hush-previous-key";

/// A temporary folder for configuration and secret files.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn env(pairs: &[(&str, &str)]) -> Environment {
    Environment::of(pairs.iter().copied())
}

/// Loads a configuration file with this text, and these variables.
fn load(text: &str, pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let folder = Folder::new();
    Settings::load(Some(&folder.put("leaver.toml", text)), &env(pairs))
}

/// Loads a file as [`load`] does, with a source from `BAMBOOHR_WEBHOOK_SECRET`.
fn load_with_key(text: &str, pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    load(text, &[&[("BAMBOOHR_WEBHOOK_SECRET", KEY)], pairs].concat())
}

/// Returns the text of an error. Fails if it contains a secret.
fn text_of(error: SettingsError) -> String {
    assert!(!format!("{error:?}").contains(MARK), "{error:?}");
    let text = format!("{:#}", anyhow::Error::new(error));
    assert!(!text.contains(MARK), "{text}");
    text
}

/// Fails unless loading failed with an error that contains all these words.
fn assert_refused(loaded: Result<Settings, SettingsError>, words: &[&str]) {
    let text = text_of(loaded.expect_err("this should not load"));
    for word in words {
        assert!(text.contains(word), "no {word:?} in: {text}");
    }
}

fn source<'a>(settings: &'a Settings, name: &str) -> &'a Source {
    settings
        .sources
        .iter()
        .find(|source| source.name.as_str() == name)
        .unwrap()
}

fn now() -> DateTime<Utc> {
    "2026-03-10T12:00:00Z".parse().unwrap()
}

/// Returns whether the source accepts a delivery that is signed with this key.
fn accepts(source: &Source, key: &str) -> bool {
    let key = leaver_core::signature::Key::new(&key.into()).unwrap();
    let options = source.scheme.timestamp_options().unwrap_or_default();
    let sender = Scheme::new(source.scheme.provider(), vec![key], options.0, options.1);
    let headers: HeaderMap = sender.sign(b"{}", now()).into_iter().collect();
    let body = Bytes::from_static(b"{}");
    source
        .scheme
        .verify(&source.name, &headers, body, now())
        .is_ok()
}
