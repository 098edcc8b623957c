//! A command reads only the secrets of its scope: the others may be missing.

use super::*;

const TEXT: &str = "[server]\nadmin_token = \"env:ADMIN\"\n\
    [[sources]]\nname = \"a\"\nprovider = \"bamboohr\"\ntenant = \"acme\"\nwebhook_secrets = [\"env:A1\", \"env:A2\"]\n\
    api = { company_domain = \"acme\", api_key = \"env:API_A\" }\n\
    [[sources]]\nname = \"b\"\nprovider = \"merge\"\nwebhook_secrets = [\"file:/nowhere/b\"]\n\
    api = { api_key = \"env:API_B\" }\nlinked_accounts = [{ id = \"5b0f\", tenant = \"acme\", token = \"env:TOKEN\" }]";

fn read(pairs: &[(&str, &str)], scope: &SecretScope<'_>) -> Result<Settings, SettingsError> {
    let folder = Folder::new();
    Settings::read(Some(&folder.put("leaver.toml", TEXT)), &env(pairs), scope)
}

#[test]
fn secrets_outside_the_scope_are_not_read() {
    let settings = read(&[], &SecretScope::none()).unwrap();
    assert_eq!(settings.sources.len(), 2);
    for source in &settings.sources {
        assert!(source.scheme.keys().is_empty() && source.api.is_none());
        // The policy is the same: the engine needs to know that there is an API.
        assert_eq!(source.policy.can_read, source.name.as_str() == "a");
    }
    let settings = read(
        &[("DATABASE_URL", "postgres://a@db/a")],
        &SecretScope::none(),
    )
    .unwrap();
    assert!(settings.database.url.is_none());
    let settings = read(
        &[("DATABASE_URL", "postgres://a@db/a")],
        &SecretScope::database(),
    );
    assert!(settings.unwrap().database.url.is_some());
}

#[test]
fn signing_reads_the_first_key_of_one_source() {
    let settings = read(&[("A1", KEY)], &SecretScope::signing_key("a")).unwrap();
    assert!(accepts(&settings.sources[0], KEY));
    assert!(settings.sources[1].scheme.keys().is_empty());
    assert_refused(
        read(&[], &SecretScope::signing_key("a")),
        &["webhook_secrets[0]", "A1"],
    );
    let alone = env(&[
        ("BAMBOOHR_WEBHOOK_SECRET_FILE", "/nowhere/key"),
        ("MERGE_WEBHOOK_SECRET", KEY),
        ("MERGE_WEBHOOK_SECRET_PREVIOUS_FILE", "/nowhere/key"),
    ]);
    let settings = Settings::read(None, &alone, &SecretScope::signing_key("merge")).unwrap();
    assert!(accepts(source(&settings, "merge"), KEY));
    assert!(source(&settings, "bamboohr").scheme.keys().is_empty());
}

#[test]
fn reading_an_api_needs_its_credentials_only() {
    let api_of = |settings: &Settings, name: &str| source(settings, name).api.is_some();
    let settings = read(&[("API_A", "hush-a")], &SecretScope::apis(Some("a"))).unwrap();
    assert!(api_of(&settings, "a") && !api_of(&settings, "b"));
    let merge = [("API_B", "hush-b"), ("TOKEN", "hush-token")];
    let settings = read(&merge, &SecretScope::apis(Some("b"))).unwrap();
    assert!(!api_of(&settings, "a") && api_of(&settings, "b"));
    assert_refused(
        read(&merge[..1], &SecretScope::apis(Some("b"))),
        &["TOKEN is not set"],
    );
    assert_refused(
        read(&merge, &SecretScope::apis(None)),
        &["API_A is not set"],
    );
    // Only BambooHR's API manages webhooks.
    let settings = read(&[("API_A", "hush-a")], &SecretScope::webhook_apis(None)).unwrap();
    assert!(api_of(&settings, "a") && !api_of(&settings, "b"));
}

#[test]
fn a_secret_in_the_file_is_refused_in_every_scope() {
    let folder = Folder::new();
    for (reference, key) in [
        ("env:ADMIN", "server.admin_token"),
        ("env:A2", "webhook_secrets[1]"),
        ("env:API_B", "api.api_key"),
        ("env:TOKEN", "linked_accounts[0].token"),
    ] {
        let text = TEXT.replace(reference, "hush-key");
        let file = folder.put("leaver.toml", &text);
        let refused = Settings::read(Some(&file), &env(&[]), &SecretScope::none());
        assert_refused(
            refused,
            &[key, "cannot be written into a configuration file"],
        );
    }
}
