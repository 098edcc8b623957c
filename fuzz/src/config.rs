//! The configuration. An input is a file, and after a NUL variables, `NAME=value` by line, of which only those
//! that begin with `LEAVER__` count.

use std::collections::BTreeSet;
use std::io::Write;

use chrono::TimeDelta;
use leaver::config::{Environment, Settings};
use leaver_core::signature::Scheme;

use super::sound;

/// Stands in every secret.
const MARK: &str = "hush-7c1f";

/// Settings are read or refused. Those that are read can be worked with, and no text shows a secret.
pub fn check(input: &[u8]) {
    let cut = input.iter().position(|byte| *byte == 0);
    let (file, variables) = input.split_at(cut.unwrap_or(input.len()));
    let variables = String::from_utf8_lossy(variables.get(1..).unwrap_or_default());
    // A secret may be in any file; a device among them would be read for ever.
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
            can_be_worked_with(&settings);
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
            .chain(secrets.map(|name| (name, format!("{MARK}-{name}")))),
    );
    Settings::read(Some(written.path()), &env).map_err(|error| format!("{error} {error:?}"))
}

fn can_be_worked_with(settings: &Settings) {
    let names: BTreeSet<_> = settings.sources.iter().map(|source| &source.name).collect();
    assert_eq!(names.len(), settings.sources.len());
    for source in &settings.sources {
        let keys = match &source.scheme {
            Scheme::BambooHr {
                keys, freshness, ..
            } => {
                assert!(*freshness >= TimeDelta::zero());
                keys
            }
            Scheme::Merge { keys } => keys,
        };
        assert!(!keys.is_empty(), "a source that nobody can sign for");
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
    // How far they reach back is asked of Postgres.
    for span in [
        settings.inbox.failed_body_retention,
        settings.inbox.delivery_retention,
    ] {
        let span = TimeDelta::from_std(span).expect("a span that can be counted with");
        let since = sound::now().checked_sub_signed(span);
        sound::instant(since.expect("a span that reaches back into the calendar"));
    }
    for span in [settings.worker.poll_interval, settings.server.body_timeout] {
        assert!(!span.is_zero());
        assert!(
            std::time::Instant::now().checked_add(span).is_some(),
            "{span:?}"
        );
    }
}
