//! `leaver check`: ok, warnings, errors and the advice in them.

use serde_json::Value;

use super::app;
use crate::support::process::{CommandOutput, run};
use crate::support::{TestApp, UNSYNCED};

/// Returns the message of the line with this check and status.
fn line(output: &CommandOutput, check: &str, status: &str) -> String {
    let lines = output.json();
    let lines = lines.as_array().unwrap();
    let found = lines
        .iter()
        .find(|line| line["check"] == check && line["status"] == status);
    let found = found.unwrap_or_else(|| panic!("no {status} for {check}: {lines:#?}"));
    found["message"].as_str().unwrap().to_owned()
}

fn errors(output: &CommandOutput) -> Vec<Value> {
    let lines = output.json();
    let lines = lines.as_array().unwrap();
    lines
        .iter()
        .filter(|line| line["status"] == "error")
        .cloned()
        .collect()
}

/// Expects one error, with these words.
#[track_caller]
fn assert_error(app: &TestApp, more: &[(&str, &str)], what: &str, words: &[&str]) {
    let output = app.run_with(&["check", "--json"], more);
    // Without an answer of the database, most is not checked.
    let is_unanswered = words.contains(&"cannot connect");
    let code = if is_unanswered { 3 } else { 1 };
    assert_eq!(output.code, Some(code), "{output:?}");
    let says = line(&output, what, "error");
    for word in words {
        assert!(says.contains(word), "no {word:?} in {says}");
    }
    assert_eq!(errors(&output).len(), 1, "{output:?}");

    let table = app.run_with(&["check"], more);
    assert_eq!(table.code, Some(code));
    // One line per check, so that a statement can be copied.
    let wrong = table.out.lines().filter(|line| line.contains("ERROR"));
    let wrong: Vec<&str> = wrong.collect();
    assert_eq!(wrong.len(), 1, "{table:?}");
    assert!(
        words.iter().all(|word| wrong[0].contains(word)),
        "{table:?}"
    );
}

#[tokio::test]
async fn asynchronous_commit_is_an_error() {
    let mut app = app().await;
    app.sql(UNSYNCED).await;
    let words = ["synchronous_commit", "ALTER DATABASE", "on"];
    assert_error(&app, &[], "durability", &words);
}

#[tokio::test]
async fn every_check_of_a_good_setup_is_ok() {
    let app = app().await;
    let output = app.run(&["check", "--json"]).succeeded();
    for what in [
        "configuration",
        "source bamboohr",
        "source merge",
        "database",
        "schema leaver",
        "accounts.table",
        "accounts rights",
        "accounts.end_sessions[0]",
    ] {
        line(&output, what, "ok");
    }
    assert!(line(&output, "accounts.table", "ok").contains("bigint"));
    // The index needs a function of the first migration, and the check itself applies none.
    line(&output, "accounts.email_column", "warning");
    assert!(line(&output, "schema leaver", "ok").contains("pending"));

    app.run(&["migrate"]).succeeded();
    let table = app.run(&["check"]).succeeded();
    assert!(
        table.out.contains("all migrations are applied"),
        "{table:?}"
    );
    assert!(!table.out.contains("ERROR"), "{table:?}");
    assert_eq!(table.err, "");
}

#[tokio::test]
async fn a_missing_table_or_column_is_named_with_alternatives() {
    let mut app = app().await;
    app.sql("CREATE SCHEMA app; CREATE TABLE app.members (id uuid, mail text, active text)")
        .await;
    assert_error(
        &app,
        &[("LEAVER__ACCOUNTS__TABLE", "public.user")],
        "accounts",
        &["accounts.table", "public.user", "public.users"],
    );
    let members = ("LEAVER__ACCOUNTS__TABLE", "app.members");
    assert_error(
        &app,
        &[members],
        "accounts",
        &["accounts.email_column", "\"email\"", "id, mail, active"],
    );
    assert_error(
        &app,
        &[
            members,
            ("LEAVER__ACCOUNTS__EMAIL_COLUMN", "mail"),
            ("LEAVER__ACCOUNTS__ACTIVE_COLUMN", "active"),
        ],
        "accounts",
        &["accounts.active_column", "type text", "boolean"],
    );
    assert_error(
        &app,
        &[("LEAVER__ACCOUNTS__TABLE", "a.b.c")],
        "accounts",
        &["accounts.table", "a.b.c", "schema.table"],
    );
}

#[tokio::test]
async fn a_missing_index_is_a_warning_with_its_statement() {
    let mut app = TestApp::new().await;
    app.sql("DROP INDEX users_email_key_idx; CREATE INDEX ON users (lower(email))")
        .await;
    let output = app.run(&["check", "--json"]).succeeded();
    let says = line(&output, "accounts.email_column", "warning");
    let (_, statement) = says.split_once("CREATE INDEX").unwrap();
    app.sql(&format!("CREATE INDEX{statement}")).await;
    let output = app.run(&["check", "--json"]).succeeded();
    assert!(line(&output, "accounts.email_column", "ok").contains("index"));
}

/// Creates a role without privileges and returns it with its URL.
async fn stranger(app: &mut TestApp) -> (String, String) {
    let role = format!("stranger_{}", uuid::Uuid::new_v4().simple());
    app.sql(&format!("CREATE ROLE {role} LOGIN")).await;
    let theirs = format!("postgres://{role}@");
    let url = app.url.replace("postgres://postgres@", &theirs);
    (role, url)
}

#[tokio::test]
async fn missing_privileges_are_an_error_with_a_grant_statement() {
    let mut app = app().await;
    let (role, url) = stranger(&mut app).await;
    app.run(&["migrate", "--grant-to", &role]).succeeded();
    let more = [
        ("DATABASE_URL", url.as_str()),
        ("LEAVER__ACCOUNTS__END_SESSIONS", "[]"),
    ];
    assert_error(&app, &more, "accounts rights", &[&role, "SELECT", "GRANT"]);
    app.sql(&format!("GRANT SELECT ON users TO {role}")).await;
    assert_error(&app, &more, "accounts rights", &[&role, "lacks UPDATE"]);
    app.sql(&format!("REVOKE SELECT ON users FROM {role}"))
        .await;

    let output = app.run_with(&["check", "--json"], &more);
    let says = line(&output, "accounts rights", "error");
    let (_, grant) = says.split_once("GRANT").unwrap();
    app.sql(&format!("GRANT{grant}")).await;
    app.run_with(&["check"], &more).succeeded();
}

#[tokio::test]
async fn missing_privileges_on_the_leaver_schema_are_an_error() {
    let mut app = app().await;
    let (role, url) = stranger(&mut app).await;
    app.sql(&format!("GRANT SELECT, UPDATE ON users TO {role}"))
        .await;
    let more = [
        ("DATABASE_URL", url.as_str()),
        ("LEAVER__ACCOUNTS__END_SESSIONS", "[]"),
    ];
    let grant_to = format!("leaver migrate --grant-to {role}");
    let pending = ["may not apply them", &role, &grant_to];
    assert_error(&app, &more, "schema leaver", &pending);
    app.run_with(&["serve"], &more)
        .failed(&["permission denied", "--grant-to"]);

    app.run(&["migrate"]).succeeded();
    let missing = [
        "USAGE on schema leaver",
        "INSERT on leaver.audit",
        &grant_to,
    ];
    assert_error(&app, &more, "schema leaver", &missing);
    app.run(&["migrate", "--grant-to", &role]).succeeded();
    app.run_with(&["check"], &more).succeeded();
}

#[tokio::test]
async fn a_failing_end_sessions_statement_is_an_error() {
    let app = app().await;
    let statement = r#"["DELETE FROM no_sessions WHERE user_id::text = ANY($1)"]"#;
    assert_error(
        &app,
        &[("LEAVER__ACCOUNTS__END_SESSIONS", statement)],
        "accounts.end_sessions[0]",
        &["no_sessions", "does not exist"],
    );
    let output = app.run_with(
        &["check", "--json"],
        &[("LEAVER__ACCOUNTS__END_SESSIONS", "[]")],
    );
    assert!(line(&output.succeeded(), "accounts.end_sessions", "warning").contains("sessions"));
}

#[tokio::test]
async fn a_connection_error_does_not_show_the_password() {
    let app = app().await;
    for (url, words) in [
        (
            "postgres://app:hush@127.0.0.1:1/app",
            &["cannot connect", "refused"][..],
        ),
        (
            "mysql://app:hush@127.0.0.1/app",
            &["database.url", "postgres://"],
        ),
        ("hush", &["database.url", "postgres://"]),
        ("", &["DATABASE_URL", "empty"]),
    ] {
        assert_error(&app, &[("DATABASE_URL", url)], "database", words);
        let output = app.run_with(&["check"], &[("DATABASE_URL", url)]);
        assert!(!format!("{output:?}").contains("hush"), "{output:?}");
    }
    let mut env = app.env(&[]);
    env.retain(|(name, _)| *name != "DATABASE_URL");
    let output = run(&["check", "--json"], &env);
    assert_eq!(output.code, Some(1));
    assert!(line(&output, "database", "error").contains("DATABASE_URL is not set"));
}

#[tokio::test]
async fn an_unset_secret_is_an_error_that_names_its_key() {
    let app = app().await;
    let file = app.file(
        "leaver.toml",
        "[[sources]]\nname = \"hr\"\nprovider = \"bamboohr\"\nwebhook_secrets = [\"env:HR_KEY\"]\ntimestamp_tolerance = \"1h\"",
    );
    let file = file.to_str().unwrap();
    let check = ["check", "--json", "--config", file];
    let output = app.run(&check);
    assert_eq!(output.code, Some(1));
    let says = line(&output, "configuration", "error");
    assert!(
        says.contains("webhook_secrets[0]") && says.contains("HR_KEY is not set"),
        "{says}"
    );

    let output = app
        .run_with(&check, &[("HR_KEY", "hush-key-of-the-source")])
        .succeeded();
    assert!(line(&output, "source hr", "warning").contains("155 minutes"));
    assert!(!output.out.contains("hush"), "{output:?}");
}

#[tokio::test]
async fn the_database_is_checked_without_a_source() {
    let app = app().await;
    let output = run(&["check", "--json"], &[("DATABASE_URL", &app.url)]);
    assert_eq!(output.code, Some(1));
    assert!(line(&output, "sources", "error").contains("BAMBOOHR_WEBHOOK_SECRET"));
    line(&output, "accounts.table", "ok");
}
