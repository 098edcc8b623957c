//! Facts about the position, and the key of their hashes.

use super::*;
use leaver_core::domain::PositionFact;

const KEY: &str = "hush-key-of-the-hashes";

fn events(text: &str, key: &str) -> Result<Settings, SettingsError> {
    load_with_key(&format!("[events]\n{text}"), &[("HASHES", key)])
}

#[test]
fn facts_are_observed_only_with_a_key() {
    let parses = |loaded: Result<Settings, SettingsError>| {
        let settings = loaded.unwrap();
        let position = &settings.sources[0].provider_config.position;
        let parsed: Vec<PositionFact> = position.parsed().collect();
        parsed
    };
    assert!(parses(load_with_key("", &[])).is_empty());
    assert!(parses(events("hash_key = \"env:HASHES\"", KEY)).is_empty());
    let text = "facts = [\"manager\", \"job_title\", \"manager\"]\nhash_key = \"env:HASHES\"";
    assert_eq!(
        parses(events(text, KEY)),
        [PositionFact::Manager, PositionFact::JobTitle]
    );
    assert!(!format!("{:?}", events(text, KEY).unwrap()).contains(KEY));
}

#[test]
fn facts_without_a_safe_key_are_refused() {
    for (text, key, words) in [
        (
            "facts = [\"manager\"]",
            KEY,
            ["events.hash_key", "openssl rand"],
        ),
        (
            "facts = [\"salary\"]\nhash_key = \"env:HASHES\"",
            KEY,
            ["events.facts", "job_title"],
        ),
        (
            "facts = [\"manager\"]\nhash_key = \"env:HASHES\"",
            "hush-15-letters",
            ["events.hash_key", "fewer than 16"],
        ),
        (
            "facts = [\"manager\"]\nhash_key = \"hush-key-of-the-hashes\"",
            KEY,
            ["events.hash_key", "env:"],
        ),
        (
            "facts = [\"manager\"]\nhash_key = \"env:MISSING\"",
            KEY,
            ["events.hash_key", "MISSING"],
        ),
    ] {
        assert_refused(events(text, key), &words);
    }
}

#[test]
fn commands_that_do_not_observe_read_no_hash_key() {
    let folder = Folder::new();
    let text = String::from(
        "[events]\nfacts = [\"manager\"]\nhash_key = \"env:HASHES\"\n[[sources]]\nname = \"hr\"\n\
         provider = \"bamboohr\"\nwebhook_secrets = [\"env:ONE\"]",
    );
    let file = folder.put("leaver.toml", &text);
    let settings = Settings::read(Some(&file), &env(&[]), &SecretScope::none()).unwrap();
    let position = &settings.sources[0].provider_config.position;
    assert!(position.keeps(PositionFact::Manager) && position.parsed().next().is_none());
}
