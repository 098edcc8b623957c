//! Destinations of events: their keys, URLs and secrets.

use super::*;
use crate::connect::destinations::{DestinationKind, WebhookSettings};

const WHSEC: &str = "whsec_hushhushABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghg=";
const OTHER_WHSEC: &str = "whsec_hushhushabcdefghijklmnopqrstuvwxyzABCDEFGHI=";
const WEBHOOK: &str = "name = 'bus'\nkind = 'webhook'\nurl = 'https://bus.example.com/x'\nsecrets = ['env:ONE']\nevents = ['*']";

/// Loads a source and these destinations, each the keys of one section.
fn load_destinations(sections: &[&str], pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let sections = sections
        .iter()
        .map(|keys| format!("[[destinations]]\n{keys}\n"));
    load_with_key(&sections.collect::<String>(), pairs)
}

fn webhook(settings: &Settings, position: usize) -> &WebhookSettings {
    match &settings.destinations[position].kind {
        DestinationKind::Webhook(webhook) => webhook,
        other => panic!("{other:?}"),
    }
}

/// Fails unless this key of a webhook is refused with an error that has these words.
fn assert_key_refused(secret: &str, words: &[&str]) {
    let loaded = load_destinations(&[WEBHOOK], &[("ONE", secret)]);
    let words = [&["destinations[0] (bus).secrets[0]"], words].concat();
    assert_refused(loaded, &words);
}

#[test]
fn a_signing_key_is_checked_when_it_is_read() {
    assert_key_refused(
        "hush-not-a-signing-key",
        &["`whsec_`", "`whsk_`", "openssl rand"],
    );
    assert_key_refused("whsec_hush!", &["is not base64"]);
    assert_key_refused("whsec_hushhush", &["has 6 bytes", "24 to 64"]);
    assert_key_refused("whsk_hushhushABCDEFGHIJKL", &["has 15 bytes", "32", "64"]);
    assert_key_refused(
        "whpk_hushhushABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghg=",
        &["public key"],
    );
    assert_key_refused("   ", &["blank"]);
    assert_key_refused("", &["set but empty"]);
    let missing = load_destinations(&[WEBHOOK], &[]);
    assert_refused(missing, &["secrets[0]", "ONE is not set"]);
    let literal = WEBHOOK.replace("env:ONE", WHSEC);
    let literal = load_destinations(&[&literal], &[]);
    assert_refused(literal, &["secrets[0]", "env:"]);
}

#[test]
fn a_signing_key_that_others_know_is_reported() {
    for (secret, weakness) in [
        (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "anyone can sign with it",
        ),
        (
            "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            "very few characters",
        ),
    ] {
        let settings = load_destinations(&[WEBHOOK], &[("ONE", secret)]).unwrap();
        let remarks = settings.secrets.remarks();
        let found = remarks.iter().find(|one| one.text.contains(weakness));
        assert!(found.is_some_and(|one| one.is_warning), "{remarks:?}");
    }
}

#[test]
fn a_webhook_has_a_key_per_secret() {
    let two = WEBHOOK.replace("['env:ONE']", "['env:ONE', 'env:TWO']");
    let seed = "whsk_hushhushABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghg=";
    let settings = load_destinations(&[&two], &[("ONE", WHSEC), ("TWO", seed)]).unwrap();
    let keys = &webhook(&settings, 0).keys;
    assert!(keys[0].public_key().is_none() && keys[1].public_key().is_some());
    assert!(!format!("{settings:?}").contains(MARK));
    let repeated = load_destinations(&[&two], &[("ONE", WHSEC), ("TWO", WHSEC)]).unwrap();
    let remarks = repeated.secrets.remarks();
    let repeated = remarks.iter().find(|one| one.text.contains("same key"));
    assert_eq!(
        repeated.unwrap().setting,
        "destinations[0] (bus).secrets[1]"
    );
}

#[test]
fn a_signing_key_has_one_purpose() {
    let other = WEBHOOK.replace("'bus'", "'log'").replace("ONE", "TWO");
    let both = [WEBHOOK, other.as_str()];
    load_destinations(&both, &[("ONE", WHSEC), ("TWO", OTHER_WHSEC)]).unwrap();
    let shared = load_destinations(&both, &[("ONE", WHSEC), ("TWO", WHSEC)]);
    assert_refused(
        shared,
        &[
            "destinations[1] (log).secrets[0]",
            "sign events for the other",
        ],
    );
    let of_source =
        "[[sources]]\nname = 'hr'\nprovider = 'bamboohr'\nwebhook_secrets = ['env:ONE']\n";
    let of_source = format!("{of_source}[[destinations]]\n{WEBHOOK}");
    assert_refused(load(&of_source, &[("ONE", WHSEC)]), &["same secret"]);
}

#[test]
fn one_bot_may_write_to_two_channels() {
    let channel = |name| {
        format!(
            "name = '{name}'\nkind = 'slack'\ntoken = 'env:BOT'\nchannel = 'C1'\nevents = ['*']"
        )
    };
    let (one, two) = (channel("it"), channel("security"));
    load_destinations(&[&one, &two], &[("BOT", "xoxb-hush-1")]).unwrap();
}

#[test]
fn events_leave_the_machine_only_over_tls() {
    let with = |url: &str| {
        let section = WEBHOOK.replace("https://bus.example.com/x", url);
        load_destinations(&[&section], &[("ONE", WHSEC)])
    };
    for url in [
        "http://127.0.0.1:9000/leaver",
        "http://localhost/",
        "http://[::1]:9000",
        "https://bus.example.com",
        "https://bus.example.com/x?tenant=1",
    ] {
        assert_eq!(webhook(&with(url).unwrap(), 0).url, url.parse().unwrap());
    }
    for url in [
        "http://bus.example.com",
        "http://10.0.0.1/",
        "http://localhost.example.com",
    ] {
        assert_refused(with(url), &["destinations[0] (bus).url", "TLS"]);
    }
    assert_refused(with("ftp://bus.example.com"), &["(bus).url", "https"]);
    assert_refused(with("bus.example.com"), &["(bus).url", "https"]);
    assert_refused(with(""), &["(bus).url", "https"]);
    assert_refused(with("https://user@bus.example.com"), &["(bus).url", "user"]);
    assert_refused(
        with("https://user:hush@bus.example.com"),
        &["(bus).url", "password"],
    );
    assert_refused(with("https://bus.example.com/#x"), &["(bus).url", "`#`"]);
}

#[test]
fn misspelt_keys_and_types_are_named() {
    let refused = |from: &str, to: &str, words: &[&str]| {
        let section = WEBHOOK.replace(from, to);
        assert_refused(load_destinations(&[&section], &[("ONE", WHSEC)]), words);
    };
    refused("secrets", "secret", &["did you mean `secrets`"]);
    refused(
        "'webhook'",
        "'webhok'",
        &["destinations[0].kind", "webhook"],
    );
    refused(
        "'*'",
        "'account.deactived'",
        &["account.deactived", "no type of event"],
    );
    refused("['*']", "[]", &["(bus).events", "at least one type"]);
    refused("'bus'", "'The Bus'", &["name", "a-z"]);
    refused("events", "payload = 'fat'\nevents", &["payload", "thin"]);
    refused(
        "events",
        "names = true\nevents",
        &["(bus).names", "remove it"],
    );
    let twice = load_destinations(&[WEBHOOK, WEBHOOK], &[("ONE", WHSEC)]);
    assert_refused(twice, &["destinations[1].name", "used twice"]);
}

#[test]
fn a_command_reads_only_the_secrets_of_its_scope() {
    let text = format!("[[destinations]]\n{WEBHOOK}");
    let folder = Folder::new();
    let file = folder.put("leaver.toml", &text);
    for scope in [
        SecretScope::none(),
        SecretScope::database().with_destination("log"),
    ] {
        let settings = Settings::read(Some(&file), &env(&[]), &scope).unwrap();
        assert!(webhook(&settings, 0).keys.is_empty());
        assert_eq!(settings.destinations[0].subscription.types.len(), 22);
    }
    let scope = SecretScope::none().with_destination("bus");
    let pairs = [("ONE", WHSEC)];
    let settings = Settings::read(Some(&file), &env(&pairs), &scope).unwrap();
    assert_eq!(webhook(&settings, 0).keys.len(), 1);
}

#[test]
fn show_hides_the_credentials_of_urls() {
    let folder = Folder::new();
    let slack = "[[destinations]]\nname = 'it'\nkind = 'slack'\nurl = 'https://hooks.slack.com/hush'\nevents = ['*']\n";
    let query = WEBHOOK.replace("com/x", "com/x?sig=hush");
    let mail = "[[destinations]]\nname = 'mail'\nkind = 'email'\nurl = 'smtps://hush:hush@mail.example.com'\nfrom = 'a@b'\nto = ['c@d']\nevents = ['*']\n";
    let text = format!("{slack}{mail}[[destinations]]\n{query}");
    let file = folder.put("leaver.toml", &text);
    let shown = Shown::load(Some(&file), &env(&[])).unwrap().settings();
    let text = serde_json::to_string(&shown).unwrap();
    assert!(!text.contains(MARK), "{text}");
    for part in [
        "https://bus.example.com/x?...",
        "smtps://...@mail.example.com",
        "destinations[2].secrets",
    ] {
        assert!(text.contains(part), "no {part} in {text}");
    }
}
