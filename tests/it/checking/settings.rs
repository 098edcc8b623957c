//! `leaver check` finds misspelt variables and filters of the log, and says what could not be checked.

use crate::commands::check::line;
use crate::support::process::run;
use crate::support::{BAMBOOHR_KEY, TestApp};

#[tokio::test]
async fn a_misspelt_secret_variable_is_named_with_the_nearest() {
    let app = TestApp::new().await;
    let key = "a-key-of-some-company";
    for (misspelt, near) in [
        (
            "BAMBOOHR_WEBOOK_SECRET_PREVIOUS",
            "BAMBOOHR_WEBHOOK_SECRET_PREVIOUS",
        ),
        ("MERGE_WEBHOOK_SECRETS", "MERGE_WEBHOOK_SECRET"),
        ("bamboohr_webhook_secret", "BAMBOOHR_WEBHOOK_SECRET"),
        ("BAMBOOHR_API_KEY", "\"env:BAMBOOHR_API_KEY\""),
    ] {
        let output = app.run_with(&["check", "--json"], &[(misspelt, key)]);
        let says = line(&output.succeeded(), misspelt, "warning");
        assert!(
            says.contains("sets nothing") && says.contains(near),
            "{says}"
        );
    }
    let mut env = app.env(&[("BAMBOOHR_WEBOOK_SECRET", key)]);
    env.retain(|(name, _)| !["BAMBOOHR_WEBHOOK_SECRET", "MERGE_WEBHOOK_SECRET"].contains(name));
    let output = run(&["check", "--json"], &env).findings(&[]);
    assert!(
        line(&output, "BAMBOOHR_WEBOOK_SECRET", "warning").contains("BAMBOOHR_WEBHOOK_SECRET?")
    );
    // The service itself says so too, instead of only that there is no source.
    run(&["serve"], &env).failed(&["did you mean BAMBOOHR_WEBHOOK_SECRET?"]);
    let output = app.run_with(&["check", "--json"], &[("LEAVER_LISTENS", "127.0.0.1:1")]);
    assert!(line(&output.findings(&[]), "configuration", "error").contains("mean LEAVER_LISTEN?"));
}

#[tokio::test]
async fn weak_and_repeated_secrets_are_warnings() {
    let app = TestApp::new().await;
    let key = ("BAMBOOHR_WEBHOOK_SECRET", "a-key-of-some-company");
    for (variable, secret, words) in [
        (
            "BAMBOOHR_WEBHOOK_SECRET_PREVIOUS",
            key.1,
            "the same key as `BAMBOOHR_WEBHOOK_SECRET`",
        ),
        (
            "BAMBOOHR_WEBHOOK_SECRET_PREVIOUS",
            "abababababababababababab",
            "very few characters",
        ),
        (
            "LEAVER_ADMIN_TOKEN",
            "abababababababababababababababababab",
            "openssl rand",
        ),
    ] {
        let output = app.run_with(&["check", "--json"], &[key, (variable, secret)]);
        let says = line(&output.succeeded(), variable, "warning");
        assert!(says.contains(words) && !says.contains(secret), "{says}");
    }
}

#[tokio::test]
async fn an_unset_variable_is_named_with_the_one_that_is_set() {
    let app = TestApp::new().await;
    let file = app.file(
        "leaver.toml",
        "[[sources]]\nname = \"hr\"\nprovider = \"bamboohr\"\nwebhook_secrets = [\"env:HR_WEBHOOK_KEY\"]\n",
    );
    let more = [
        ("LEAVER_CONFIG", file.to_str().unwrap()),
        ("HR_WEBHOK_KEY", BAMBOOHR_KEY),
    ];
    let output = app.run_with(&["check", "--json"], &more).findings(&[]);
    let says = line(&output, "configuration", "error");
    assert!(says.contains("HR_WEBHOK_KEY is set: rename it"), "{says}");
    // The database needs no key.
    line(&output, "database", "ok");
}

#[tokio::test]
async fn a_filter_of_the_log_is_judged() {
    let app = TestApp::new().await;
    for (filter, status, words) in [
        ("info,leaver::jobs::sync=debug", "ok", "leaves warnings on"),
        ("error", "warning", "all warnings"),
        (
            "info,leaver::jbos=debug",
            "warning",
            "did you mean `leaver::jobs`?",
        ),
        ("debgu", "warning", "the level `debug`"),
        ("info,leaver=loud", "error", "is no filter"),
    ] {
        let output = app.run_with(&["check", "--json"], &[("LEAVER_LOG", filter)]);
        let says = line(&output, "log.filter", status);
        assert!(says.contains(words), "{filter}: {says}");
        assert_eq!(
            output.code,
            Some(i32::from(status == "error")),
            "{output:?}"
        );
    }
}

#[tokio::test]
async fn without_a_database_everything_else_is_checked() {
    let app = TestApp::new().await;
    let nothing = [("DATABASE_URL", "postgres://app:hush@127.0.0.1:1/people")];
    let output = app.run_with(&["check", "--json"], &nothing);
    assert_eq!(output.code, Some(3), "{output:?}");
    for what in ["configuration", "secrets", "log.filter", "source bamboohr"] {
        line(&output, what, "ok");
    }
    let says = line(&output, "database", "error");
    for word in ["127.0.0.1:1", "people", "refused"] {
        assert!(says.contains(word), "no {word:?} in {says}");
    }
    let output = app.run_with(&["check"], &nothing);
    assert_eq!(output.code, Some(3), "{output:?}");
    assert!(output.err.contains("1 error, ") && output.err.contains("not everything was checked"));
}
