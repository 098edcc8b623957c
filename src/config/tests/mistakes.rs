//! Errors name the key, the file or variable that sets it, and a valid value.

use super::*;

#[test]
fn settings_without_a_source_are_an_error() {
    for pairs in [vec![], vec![("DATABASE_URL", "postgres://db/app")]] {
        assert_refused(
            Settings::load(None, &env(&pairs)),
            &[
                "no source",
                "BAMBOOHR_WEBHOOK_SECRET",
                "MERGE_WEBHOOK_SECRET",
                "[[sources]]",
            ],
        );
    }
    assert_refused(
        load("[accounts]\ntable = \"app.users\"", &[]),
        &["no source"],
    );
}

#[test]
fn durations_over_100_years_are_rejected() {
    for (section, key) in [
        ("inbox", "failed_retention"),
        ("inbox", "retention"),
        ("server", "body_timeout"),
        ("policy", "max_silence"),
    ] {
        assert_refused(
            load_with_key(&format!("[{section}]\n{key} = \"101y\""), &[]),
            &[&format!("{section}.{key}"), "at most 100 years"],
        );
        assert!(load_with_key(&format!("[{section}]\n{key} = \"100y\""), &[]).is_ok());
    }
}

#[test]
fn an_unknown_key_is_named_with_its_file() {
    let source =
        "[[sources]]\nname = \"hr\"\nprovider = \"bamboohr\"\nwebhook_secrets = [\"env:K\"]\n";
    let in_source = |line: &str| format!("{source}{line}");
    for (text, key, right) in [
        (
            "colour = 1".to_owned(),
            "colour",
            "expected one of `server`, `database`",
        ),
        (
            "[account]\ntable = \"users\"".to_owned(),
            "account",
            "did you mean `accounts`?",
        ),
        (
            "[accounts]\ntabel = \"users\"".to_owned(),
            "accounts.tabel",
            "did you mean `table`?",
        ),
        (
            "[policy.deleted]\nbamboo = \"hold\"".to_owned(),
            "policy.deleted.bamboo",
            "did you mean `bamboohr`?",
        ),
        (
            in_source("timestamp_tolerence = \"3h\""),
            "sources[0].timestamp_tolerence",
            "did you mean `timestamp_tolerance`?",
        ),
        (
            in_source("fields = { state = [\"status\"] }"),
            "sources[0].fields.state",
            "did you mean `status`?",
        ),
        (
            in_source("api = { api_key = \"env:K\", sync_intervall = \"1m\" }"),
            "sources[0].api.sync_intervall",
            "did you mean `sync_interval`?",
        ),
        (
            in_source("linked_accounts = [{ id = \"a\", tenant = \"t\", key = \"env:K\" }]"),
            "sources[0].linked_accounts[0].key",
            "expected one of `id`, `tenant`, `token`",
        ),
    ] {
        assert_refused(
            load_with_key(&text, &[("K", KEY)]),
            &["leaver.toml: ", key, "unknown key", right],
        );
    }
}

#[test]
fn a_variable_for_an_unknown_key_is_named() {
    for (variable, words) in [
        (
            "LEAVER__ACCOUNTS__TABEL",
            ["sets nothing", "did you mean LEAVER__ACCOUNTS__TABLE?"],
        ),
        (
            "LEAVER__ACCOUNT__TABLE",
            ["sets nothing", "did you mean LEAVER__ACCOUNTS__TABLE?"],
        ),
        ("LEAVER__TABLE", ["LEAVER__SECTION__KEY", "LEAVER__TABLE"]),
        (
            "LEAVER__LOG__FILTER__X",
            ["`filter` is not a section", "LEAVER__LOG__FILTER__X"],
        ),
    ] {
        // The error names the variable, with and without a file.
        for text in ["", "[log]\nfilter = \"warn\""] {
            let refused = load_with_key(text, &[(variable, "users")]);
            assert_refused(refused, &["environment", variable, words[0], words[1]]);
        }
    }
}

#[test]
fn an_invalid_value_is_named_with_a_valid_one() {
    for (section, key, value, right) in [
        ("server", "listen", "\"8080\"", "127.0.0.1:8080"),
        ("server", "listen", "8080", "string"),
        ("server", "admin_listen", "\"8081\"", "127.0.0.1:8081"),
        (
            "server",
            "admin_listen",
            "\"127.0.0.1:8080\"",
            "`server.listen`",
        ),
        ("server", "max_body", "\"10 parsecs\"", "\"10MiB\""),
        ("server", "max_body", "\"0\"", "\"10MiB\""),
        ("server", "max_body", "10", "\"10MiB\""),
        ("server", "body_timeout", "\"soon\"", "\"15m\""),
        ("server", "body_timeout", "10", "\"15m\""),
        ("server", "max_connections", "\"many\"", "a whole number"),
        ("server", "max_connections", "-1", "a whole number"),
        ("server", "trusted_proxies", "\"10.0.0.7\"", "a list"),
        ("server", "trusted_proxies", "[\"nginx\"]", "10.0.0.0/8"),
        ("server", "trusted_proxies", "[\"0.0.0.0/0\"]", "10.0.0.0/8"),
        ("database", "migrate", "\"yes\"", "true or false"),
        ("worker", "max_attempts", "1.5", "a whole number"),
        ("accounts", "table", "[\"users\"]", "a string"),
        ("accounts", "end_sessions", "\"DELETE\"", "a list"),
        ("policy", "timezone", "\"CEST\"", "\"Europe/Berlin\""),
        ("policy", "cutoff", "\"noon\"", "\"17:30\""),
        ("policy", "cutoff", "\"25:00\"", "\"17:30\""),
        ("policy", "cutoff", "17:30:00", "\"17:30\""),
        ("drift", "mode", "\"repair\"", "`fix`"),
        (
            "policy",
            "inactive_without_date",
            "\"drop\"",
            "`deactivate`",
        ),
        ("policy", "rehire", "\"deactivate\"", "`reactivate`"),
        ("policy", "deleted", "\"hold\"", "a section"),
        ("inbox", "failed_retention", "\"a week\"", "\"7d\""),
        ("worker", "batch_size", "\"all\"", "a whole number"),
        ("log", "format", "\"xml\"", "`json`"),
    ] {
        let key_in_full = format!("{section}.{key}");
        assert_refused(
            load_with_key(&format!("[{section}]\n{key} = {value}"), &[]),
            &["leaver.toml: ", &key_in_full, right],
        );
    }
    assert_refused(
        load_with_key("server = 8080", &[]),
        &["leaver.toml: ", "server", "a section"],
    );
}

#[test]
fn values_below_the_minimum_are_rejected() {
    for (section, key, value) in [
        ("server", "max_connections", "0"),
        ("server", "body_timeout", "\"0s\""),
        ("server", "store_timeout", "\"0s\""),
        ("server", "header_timeout", "\"0s\""),
        ("server", "write_timeout", "\"0s\""),
        ("server", "max_in_flight_bytes", "\"9MiB\""),
        ("worker", "batch_size", "0"),
        ("worker", "batch_size", "-5"),
        ("worker", "poll_interval", "\"0s\""),
        ("worker", "max_attempts", "0"),
        ("worker", "concurrency", "0"),
        ("drift", "interval", "\"0s\""),
        ("inbox", "retention", "\"13d\""),
    ] {
        let refused = load_with_key(&format!("[{section}]\n{key} = {value}"), &[]);
        let key = format!("{section}.{key}");
        assert_refused(refused, &["leaver.toml: ", &key, "at least"]);
    }
    for (section, key) in [
        ("inbox", "failed_retention"),
        ("server", "drain_timeout"),
        ("server", "drain_delay"),
    ] {
        load_with_key(&format!("[{section}]\n{key} = \"0s\""), &[]).unwrap();
    }
}

#[test]
fn an_invalid_variable_is_named_instead_of_the_file() {
    for (variable, value, words) in [
        ("LEAVER_LISTEN", "8080", ["server.listen", "127.0.0.1:8080"]),
        (
            "LEAVER_ADMIN_LISTEN",
            "8081",
            ["server.admin_listen", "127.0.0.1:8081"],
        ),
        ("LEAVER_LOG_FORMAT", "xml", ["log.format", "`json`"]),
        (
            "LEAVER__WORKER__BATCH_SIZE",
            "0",
            ["worker.batch_size", "at least"],
        ),
        (
            "LEAVER__WORKER__POLL_INTERVAL",
            "0s",
            ["worker.poll_interval", "at least"],
        ),
        (
            "LEAVER__POLICY__CUTOFF",
            "noon",
            ["policy.cutoff", "\"17:30\""],
        ),
        (
            "LEAVER__ACCOUNTS__PROTECTED",
            r#"["a@b.c", "A@b.c"]"#,
            ["accounts.protected", "twice"],
        ),
    ] {
        let refused = load_with_key("[log]\nfilter = \"warn\"", &[(variable, value)]);
        let text = text_of(refused.unwrap_err());
        assert!(text.contains(variable), "{text}");
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
        assert!(!text.contains("leaver.toml"), "{text}");
    }
}

#[test]
fn invalid_toml_is_named_by_line_and_not_quoted() {
    for (text, line) in [
        ("[server]\n\n[log\nfilter = \"hush\"", "line 3"),
        ("[database]\nurl = \"hush", "line 2"),
        ("[database]\nurl = 'env:A'\nurl = 'hush'", "line 3"),
        ("[database]\nurl = hush\n", "line 2"),
        ("hush", "line 1"),
    ] {
        let refused = load_with_key(text, &[]);
        assert_refused(refused, &["leaver.toml", "not valid TOML", line]);
    }
}

#[test]
fn an_unreadable_file_is_named() {
    let variables = env(&[("BAMBOOHR_WEBHOOK_SECRET", KEY)]);
    assert_refused(
        Settings::load(
            Some(std::path::Path::new("/nowhere/leaver.toml")),
            &variables,
        ),
        &["/nowhere/leaver.toml", "No such file"],
    );
    let empty = env(&[("BAMBOOHR_WEBHOOK_SECRET", KEY), ("LEAVER_CONFIG", "")]);
    assert_refused(Settings::load(None, &empty), &["LEAVER_CONFIG", "empty"]);
    let folder = Folder::new();
    let path = folder.0.path().join("latin.toml");
    std::fs::write(&path, b"# M\xfcnchen\n").unwrap();
    assert_refused(
        Settings::load(Some(&path), &variables),
        &["latin.toml", "UTF-8"],
    );
}

#[test]
fn blank_and_duplicate_protected_emails_are_rejected() {
    for list in [
        "[\"a@example.com\", \"A@example.com \"]",
        "[\" \"]",
        "[7, \"7\"]",
        "[true]",
        "7",
    ] {
        let refused = load_with_key(&format!("[accounts]\nprotected = {list}"), &[]);
        assert_refused(refused, &["leaver.toml: ", "accounts.protected"]);
    }
}
