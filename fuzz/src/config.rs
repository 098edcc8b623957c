//! The configuration. An input is a file, a NUL, and environment variables as lines of `NAME=value`.
//!
//! Only variables that begin with `LEAVER__` are used.

use std::collections::BTreeSet;
use std::io::Write;

use chrono::TimeDelta;
use leaver::config::{Environment, SecretScope, Settings};

use super::sound;

/// A part of every secret.
const MARK: &str = "hush-7c1f";

/// Checks that settings are accepted or rejected, that accepted ones are usable, and that no text has a secret.
pub fn check(input: &[u8]) {
    let cut = input.iter().position(|byte| *byte == 0);
    let (file, variables) = input.split_at(cut.unwrap_or(input.len()));
    let variables = String::from_utf8_lossy(variables.get(1..).unwrap_or_default());
    // A secret can be in any file, and reading a device could block forever.
    let shown = [String::from_utf8_lossy(file), variables.clone()].concat();
    if ["/dev", "/proc", "/sys", "\\", MARK]
        .iter()
        .any(|word| shown.contains(word))
    {
        return;
    }
    match read(file, &variables) {
        Ok(settings) => {
            assert!(!format!("{settings:?}").contains(MARK));
            check_usable(&settings);
        }
        Err(text) => assert!(!text.contains(MARK), "{text}"),
    }
}

fn read(file: &[u8], variables: &str) -> Result<Settings, String> {
    let mut written = tempfile::NamedTempFile::new().expect("a file for the configuration");
    written
        .write_all(file)
        .expect("a file for the configuration");
    let variables = variables.lines().filter_map(|line| line.split_once('='));
    let secrets = [
        "DATABASE_URL",
        "BAMBOOHR_WEBHOOK_SECRET",
        "MERGE_WEBHOOK_SECRET",
        "KEY",
    ];
    let env = Environment::of(
        variables
            .filter(|(name, _)| name.starts_with("LEAVER__"))
            .map(|(name, value)| (name, value.to_owned()))
            .chain(secrets.map(|name| (name, format!("{MARK}-{name}-of-the-fuzzer")))),
    );
    Settings::read(Some(written.path()), &env, &SecretScope::all())
        .map_err(|error| format!("{error} {error:?}"))
}

fn check_usable(settings: &Settings) {
    let names: BTreeSet<_> = settings.sources.iter().map(|source| &source.name).collect();
    assert_eq!(names.len(), settings.sources.len());
    for source in &settings.sources {
        let options = source.scheme.timestamp_options();
        assert!(options.is_none_or(|(_, tolerance)| tolerance >= TimeDelta::zero()));
        assert!(!source.scheme.keys().is_empty(), "a source without a key");
        let body = bytes::Bytes::from_static(b"{}");
        let headers = source
            .scheme
            .sign(&body, sound::now())
            .into_iter()
            .collect();
        let verdict = source
            .scheme
            .verify(&source.name, &headers, body, sound::now());
        assert!(verdict.is_ok(), "{verdict:?}");
    }
    assert!(settings.worker.batch_size > 0 && settings.worker.max_attempts > 0);
    assert!(settings.server.max_body_bytes > 0);
    // Postgres compares these times with its timestamps.
    for span in [
        settings.inbox.failed_body_retention,
        settings.inbox.delivery_retention,
    ] {
        let span = TimeDelta::from_std(span).expect("a representable duration");
        let since = sound::now().checked_sub_signed(span);
        sound::instant(since.expect("a time in the calendar"));
    }
    for span in [settings.worker.poll_interval, settings.server.body_timeout] {
        assert!(!span.is_zero());
        assert!(
            std::time::Instant::now().checked_add(span).is_some(),
            "{span:?}"
        );
    }
}
