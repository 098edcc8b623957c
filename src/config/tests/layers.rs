//! Which layer overrides which, and that variables alone are enough.

use super::*;
use leaver_core::decision::policy::{Cutoff, OnUncertain};

#[test]
fn variables_alone_are_enough() {
    let variables = env(&[
        ("DATABASE_URL", "postgres://app:hush@db.internal/app"),
        ("BAMBOOHR_WEBHOOK_SECRET", KEY),
        ("BAMBOOHR_WEBHOOK_SECRET_PREVIOUS", OLD_KEY),
        ("MERGE_WEBHOOK_SECRET", "hush-current-merge-key"),
        ("MERGE_WEBHOOK_SECRET_PREVIOUS", "hush-previous-merge-key"),
        ("LEAVER_LISTEN", "0.0.0.0:9000"),
        ("LEAVER_LOG", "debug,sqlx=warn"),
        ("LEAVER_LOG_FORMAT", "json"),
    ]);
    let settings = Settings::load(None, &variables).unwrap();

    let url = settings.database.url.as_ref().unwrap().expose_secret();
    assert_eq!(url, "postgres://app:hush@db.internal/app");
    assert_eq!(settings.server.listen.to_string(), "0.0.0.0:9000");
    assert_eq!(settings.log.filter, "debug,sqlx=warn");
    assert_eq!(settings.log.format, LogFormat::Json);
    let names: Vec<_> = settings.sources.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["bamboohr", "merge"]);
    let (bamboohr, merge) = (source(&settings, "bamboohr"), source(&settings, "merge"));
    assert_eq!(bamboohr.scheme.provider(), Provider::BambooHr);
    assert_eq!(merge.scheme.provider(), Provider::Merge);
    assert!(accepts(bamboohr, KEY) && accepts(bamboohr, OLD_KEY));
    assert!(accepts(merge, "hush-current-merge-key") && accepts(merge, "hush-previous-merge-key"));
    assert!(!accepts(bamboohr, "hush-current-merge-key") && !accepts(merge, KEY));
}

#[test]
fn byte_order_mark_of_a_file_is_skipped() {
    let folder = Folder::new();
    let secret = folder.put("key", &format!("\u{FEFF}{KEY}\r\n"));
    let file = folder.put("leaver.toml", "\u{FEFF}[log]\nfilter = \"debug\"\n");
    let variables = env(&[("BAMBOOHR_WEBHOOK_SECRET_FILE", secret.to_str().unwrap())]);
    let settings = Settings::load(Some(&file), &variables).unwrap();
    assert_eq!(settings.log.filter, "debug");
    assert!(accepts(&settings.sources[0], KEY));
}

#[test]
fn one_secret_makes_one_source() {
    for (variable, name) in [
        ("BAMBOOHR_WEBHOOK_SECRET", "bamboohr"),
        ("MERGE_WEBHOOK_SECRET", "merge"),
    ] {
        let settings = Settings::load(None, &env(&[(variable, KEY)])).unwrap();
        let names: Vec<_> = settings.sources.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, [name]);
        assert!(accepts(&settings.sources[0], KEY));
        assert!(!accepts(&settings.sources[0], OLD_KEY));
        assert_eq!(settings.server.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(settings.log.format, LogFormat::Text);
    }
}

#[test]
fn each_secret_variable_has_a_file_twin() {
    let folder = Folder::new();
    let file = |name: &str, text: &str| folder.put(name, text).display().to_string();
    let (url, current, previous, merge, merge_previous) = (
        file("url", "postgres://app:hush@db/app\n"),
        file("current", &format!("{KEY}\n")),
        file("previous", &format!("{OLD_KEY}\r\n")),
        file("merge", "hush-current-merge-key"),
        file("merge-previous", " hush-previous-merge-key\t\n\n"),
    );
    let variables = env(&[
        ("DATABASE_URL_FILE", &url),
        ("BAMBOOHR_WEBHOOK_SECRET_FILE", &current),
        ("BAMBOOHR_WEBHOOK_SECRET_PREVIOUS_FILE", &previous),
        ("MERGE_WEBHOOK_SECRET_FILE", &merge),
        ("MERGE_WEBHOOK_SECRET_PREVIOUS_FILE", &merge_previous),
    ]);
    let settings = Settings::load(None, &variables).unwrap();

    let url = settings.database.url.as_ref().unwrap().expose_secret();
    assert_eq!(url, "postgres://app:hush@db/app");
    let (bamboohr, merge) = (source(&settings, "bamboohr"), source(&settings, "merge"));
    assert!(accepts(bamboohr, KEY) && accepts(bamboohr, OLD_KEY));
    assert!(!accepts(bamboohr, &format!("{KEY}\n")));
    assert!(accepts(merge, "hush-current-merge-key"));
    assert!(accepts(merge, "hush-previous-merge-key"));
}

#[test]
fn the_file_overrides_the_defaults_and_variables_the_file() {
    let text = "[server]\nlisten = \"127.0.0.1:1111\"\nmax_body = \"1MiB\"\n\
                [log]\nfilter = \"warn\"\n[accounts]\ntable = \"app.users\"\nid_column = \"user_id\"\n\
                [policy.deleted]\nmerge = \"ignore\"";
    let settings = load_with_key(
        text,
        &[
            ("LEAVER_LISTEN", "127.0.0.1:2222"),
            ("LEAVER__ACCOUNTS__TABLE", "crm.people"),
            ("LEAVER__POLICY__DELETED__BAMBOOHR", "hold"),
        ],
    )
    .unwrap();
    assert_eq!(settings.server.listen.port(), 2222);
    assert_eq!(settings.server.max_body_bytes, 1 << 20);
    assert_eq!(settings.server.body_timeout, Duration::from_secs(10));
    assert_eq!(settings.log.filter, "warn");
    assert_eq!(settings.accounts.table, "crm.people");
    assert_eq!(settings.accounts.id_column, "user_id");
    assert_eq!(settings.accounts.email_column, "email");
    assert_eq!(settings.sources[0].policy.deleted, OnUncertain::Hold);

    let merge = load(text, &[("MERGE_WEBHOOK_SECRET", KEY)]).unwrap();
    assert_eq!(merge.sources[0].policy.deleted, OnUncertain::Ignore);
}

#[test]
fn a_variable_sets_a_key_of_any_type() {
    let settings = load_with_key(
        "",
        &[
            ("LEAVER__DATABASE__MIGRATE", "false"),
            ("LEAVER__WORKER__MAX_ATTEMPTS", "3"),
            ("LEAVER__WORKER__BATCH_SIZE", "7"),
            ("LEAVER__SERVER__MAX_BODY", "2MiB"),
            ("LEAVER__SERVER__LISTEN", "127.0.0.1:3333"),
            ("LEAVER__POLICY__TIMEZONE", "Asia/Tokyo"),
            ("LEAVER__POLICY__CUTOFF", "17:30"),
            ("LEAVER__INBOX__FAILED_RETENTION", "2d"),
            ("LEAVER__ACCOUNTS__PROTECTED", r#"["root@example.com"]"#),
            ("LEAVER__ACCOUNTS__TENANT_COLUMN", ""),
        ],
    )
    .unwrap();
    assert!(!settings.database.migrate);
    assert_eq!(settings.worker.max_attempts, 3);
    assert_eq!(settings.worker.batch_size, 7);
    assert_eq!(settings.server.max_body_bytes, 2 << 20);
    assert_eq!(settings.server.listen.port(), 3333);
    assert_eq!(
        settings.inbox.failed_body_retention,
        Duration::from_hours(48)
    );
    assert_eq!(settings.accounts.tenant_column, None);
    let policy = &settings.sources[0].policy;
    assert_eq!(policy.timezone, chrono_tz::Asia::Tokyo);
    assert_eq!(policy.cutoff, Cutoff::At("17:30:00".parse().unwrap()));
    let root = WorkEmail::parse("Root@Example.com").unwrap();
    assert!(policy.protected.contains(&root));
}

#[test]
fn the_option_overrides_leaver_config() {
    let folder = Folder::new();
    let named = |port: u16| format!("[server]\nlisten = \"127.0.0.1:{port}\"");
    let by_variable = folder.put("variable.toml", &named(1111));
    let by_option = folder.put("option.toml", &named(2222));
    let variables = env(&[
        ("BAMBOOHR_WEBHOOK_SECRET", KEY),
        ("LEAVER_CONFIG", by_variable.to_str().unwrap()),
    ]);
    let settings = Settings::load(None, &variables).unwrap();
    assert_eq!(settings.server.listen.port(), 1111);
    let settings = Settings::load(Some(&by_option), &variables).unwrap();
    assert_eq!(settings.server.listen.port(), 2222);
}

#[test]
fn reads_settings_without_source_and_database() {
    let settings = Settings::read(None, &env(&[]), &SecretScope::all()).unwrap();
    assert!(settings.sources.is_empty());
    assert!(settings.database.url.is_none());
    let missing = settings.database.missing.unwrap();
    assert!(
        missing.contains("database.url") && missing.contains("DATABASE_URL"),
        "{missing}"
    );
}
