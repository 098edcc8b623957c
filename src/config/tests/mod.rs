//! Settings as an operator writes them: variables, a file, and the mistakes in both. Every secret in here
//! has the same word in it, and whatever refuses to load is searched for that word.

use std::path::PathBuf;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::HeaderMap;
use secrecy::ExposeSecret;

use super::*;
use leaver_core::domain::{Provider, Tenant};
use leaver_core::providers::Tenancy;
use leaver_core::signature::{Layout, Scheme};

mod documentation;
mod layers;
mod mistakes;
mod secrets;
mod sources;

/// Part of every secret.
const MARK: &str = "hush";
const KEY: &str = "hush-current-key";
const OLD_KEY: &str = "hush-previous-key";

/// A folder with a configuration file in it, and whatever else a test puts there.
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

/// Loads a file's text with variables beside it.
fn load(text: &str, pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let folder = Folder::new();
    Settings::load(Some(&folder.put("leaver.toml", text)), &env(pairs))
}

/// Loads what has a source by its variables.
fn load_with_key(text: &str, pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    load(text, &[&[("BAMBOOHR_WEBHOOK_SECRET", KEY)], pairs].concat())
}

/// What an operator reads of a mistake, which is never a secret.
fn text_of(error: SettingsError) -> String {
    assert!(!format!("{error:?}").contains(MARK), "{error:?}");
    let text = format!("{:#}", anyhow::Error::new(error));
    assert!(!text.contains(MARK), "{text}");
    text
}

/// The mistake must be told with all these words.
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

/// Whether a source lets in what is signed with this key, as its provider signs.
fn accepts(source: &Source, key: &str) -> bool {
    let key = leaver_core::signature::Key::new(&key.into()).unwrap();
    let sender = match &source.scheme {
        Scheme::Merge { .. } => Scheme::Merge { keys: vec![key] },
        Scheme::BambooHr {
            layout, freshness, ..
        } => Scheme::BambooHr {
            keys: vec![key],
            layout: *layout,
            freshness: *freshness,
        },
    };
    let headers: HeaderMap = sender.sign(b"{}", now()).into_iter().collect();
    let body = Bytes::from_static(b"{}");
    source
        .scheme
        .verify(&source.name, &headers, body, now())
        .is_ok()
}
