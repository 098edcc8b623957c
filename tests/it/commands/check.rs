//! `leaver check`: ok, warnings, errors and the advice in them.

use serde_json::Value;

use super::place;
use crate::support::process::{Place, Said, leaver};
use crate::support::{UNSYNCED, USERS};

/// Returns the message of the line with this check and status.
fn line(said: &Said, check: &str, status: &str) -> String {
    let lines = said.json();
    let lines = lines.as_array().unwrap();
    let found = lines
        .iter()
        .find(|line| line["check"] == check && line["status"] == status);
    let found = found.unwrap_or_else(|| panic!("no {status} for {check}: {lines:#?}"));
    found["message"].as_str().unwrap().to_owned()
}

fn errors(said: &Said) -> Vec<Value> {
    let lines = said.json();
    let lines = lines.as_array().unwrap();
    lines
        .iter()
        .filter(|line| line["status"] == "error")
        .cloned()
        .collect()
}

/// Expects one error, with these words.
#[track_caller]
fn assert_error(place: &Place, more: &[(&str, &str)], what: &str, words: &[&str]) {
    let env = place.env(more);
    let said = leaver(&["check", "--json"], &env);
    assert_eq!(said.code, Some(1), "{said:?}");
    let says = line(&said, what, "error");
    for word in words {
        assert!(says.contains(word), "no {word:?} in {says}");
    }
    assert_eq!(errors(&said).len(), 1, "{said:?}");

    let table = leaver(&["check"], &env);
    assert_eq!(table.code, Some(1));
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
    let mut place = place().await;
    place.sql(UNSYNCED).await;
    let words = ["synchronous_commit", "ALTER DATABASE", "on"];
    assert_error(&place, &[], "durability", &words);
}

#[tokio::test]
async fn every_check_of_a_good_setup_is_ok() {
    let place = place().await;
    let said = place.leaver(&["check", "--json"]).good();
    for what in [
        "configuration",
        "source bamboohr",
        "source merge",
        "database",
        "schema leaver",
        "accounts.table",
        "accounts.email_column",
        "accounts rights",
        "accounts.end_sessions[0]",
    ] {
        line(&said, what, "ok");
    }
    assert!(line(&said, "accounts.table", "ok").contains("bigint"));
    // The check itself applies no migration.
    assert!(line(&said, "schema leaver", "ok").contains("pending"));

    place.leaver(&["migrate"]).good();
    let table = place.leaver(&["check"]).good();
    assert!(
        table.out.contains("all migrations are applied"),
        "{table:?}"
    );
    assert!(!table.out.contains("ERROR"), "{table:?}");
    assert_eq!(table.err, "");
}

#[tokio::test]
async fn a_missing_table_or_column_is_named_with_alternatives() {
    let mut place = place().await;
    place
        .sql("CREATE SCHEMA app; CREATE TABLE app.members (id uuid, mail text, active text)")
        .await;
    assert_error(
        &place,
        &[("LEAVER__ACCOUNTS__TABLE", "public.user")],
        "accounts",
        &["accounts.table", "public.user", "public.users"],
    );
    let members = ("LEAVER__ACCOUNTS__TABLE", "app.members");
    assert_error(
        &place,
        &[members],
        "accounts",
        &["accounts.email_column", "\"email\"", "id, mail, active"],
    );
    assert_error(
        &place,
        &[
            members,
            ("LEAVER__ACCOUNTS__EMAIL_COLUMN", "mail"),
            ("LEAVER__ACCOUNTS__ACTIVE_COLUMN", "active"),
        ],
        "accounts",
        &["accounts.active_column", "type text", "boolean"],
    );
    assert_error(
        &place,
        &[("LEAVER__ACCOUNTS__TABLE", "a.b.c")],
        "accounts",
        &["accounts.table", "a.b.c", "schema.table"],
    );
}

#[tokio::test]
async fn a_missing_index_is_a_warning_with_its_statement() {
    let mut place = Place::new(USERS).await;
    place.sql("DROP INDEX users_lower_idx").await;
    let said = place.leaver(&["check", "--json"]).good();
    let says = line(&said, "accounts.email_column", "warning");
    let (_, statement) = says.split_once("CREATE INDEX").unwrap();
    place.sql(&format!("CREATE INDEX{statement}")).await;
    let said = place.leaver(&["check", "--json"]).good();
    assert!(line(&said, "accounts.email_column", "ok").contains("index"));
}

/// Creates a role without privileges and returns it with its URL.
async fn stranger(place: &mut Place) -> (String, String) {
    let role = format!("stranger_{}", uuid::Uuid::new_v4().simple());
    place.sql(&format!("CREATE ROLE {role} LOGIN")).await;
    let theirs = format!("postgres://{role}@");
    let url = place.url.replace("postgres://postgres@", &theirs);
    (role, url)
}

#[tokio::test]
async fn missing_privileges_are_an_error_with_a_grant_statement() {
    let mut place = place().await;
    let (role, url) = stranger(&mut place).await;
    place.leaver(&["migrate", "--grant-to", &role]).good();
    let more = [
        ("DATABASE_URL", url.as_str()),
        ("LEAVER__ACCOUNTS__END_SESSIONS", "[]"),
    ];
    assert_error(
        &place,
        &more,
        "accounts rights",
        &[&role, "SELECT", "GRANT"],
    );
    place.sql(&format!("GRANT SELECT ON users TO {role}")).await;
    assert_error(&place, &more, "accounts rights", &[&role, "lacks UPDATE"]);
    place
        .sql(&format!("REVOKE SELECT ON users FROM {role}"))
        .await;

    let said = leaver(&["check", "--json"], &place.env(&more));
    let says = line(&said, "accounts rights", "error");
    let (_, grant) = says.split_once("GRANT").unwrap();
    place.sql(&format!("GRANT{grant}")).await;
    leaver(&["check"], &place.env(&more)).good();
}

#[tokio::test]
async fn missing_privileges_on_the_leaver_schema_are_an_error() {
    let mut place = place().await;
    let (role, url) = stranger(&mut place).await;
    place
        .sql(&format!("GRANT SELECT, UPDATE ON users TO {role}"))
        .await;
    let more = [
        ("DATABASE_URL", url.as_str()),
        ("LEAVER__ACCOUNTS__END_SESSIONS", "[]"),
    ];
    let grant_to = format!("leaver migrate --grant-to {role}");
    let pending = ["may not apply them", &role, &grant_to];
    assert_error(&place, &more, "schema leaver", &pending);
    leaver(&["serve"], &place.env(&more)).failed(&["permission denied", "--grant-to"]);

    place.leaver(&["migrate"]).good();
    let missing = [
        "USAGE on schema leaver",
        "INSERT on leaver.audit",
        &grant_to,
    ];
    assert_error(&place, &more, "schema leaver", &missing);
    place.leaver(&["migrate", "--grant-to", &role]).good();
    leaver(&["check"], &place.env(&more)).good();
}

#[tokio::test]
async fn a_failing_end_sessions_statement_is_an_error() {
    let place = place().await;
    let statement = r#"["DELETE FROM no_sessions WHERE user_id::text = ANY($1)"]"#;
    assert_error(
        &place,
        &[("LEAVER__ACCOUNTS__END_SESSIONS", statement)],
        "accounts.end_sessions[0]",
        &["no_sessions", "does not exist"],
    );
    let said = leaver(
        &["check", "--json"],
        &place.env(&[("LEAVER__ACCOUNTS__END_SESSIONS", "[]")]),
    );
    assert!(line(&said.good(), "accounts.end_sessions", "warning").contains("sessions"));
}

#[tokio::test]
async fn a_connection_error_does_not_show_the_password() {
    let place = place().await;
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
        assert_error(&place, &[("DATABASE_URL", url)], "database", words);
        let said = leaver(&["check"], &place.env(&[("DATABASE_URL", url)]));
        assert!(!format!("{said:?}").contains("hush"), "{said:?}");
    }
    let mut env = place.env(&[]);
    env.retain(|(name, _)| *name != "DATABASE_URL");
    let said = leaver(&["check", "--json"], &env);
    assert_eq!(said.code, Some(1));
    assert!(line(&said, "database", "error").contains("DATABASE_URL is not set"));
}

#[tokio::test]
async fn an_unset_secret_is_an_error_that_names_its_key() {
    let place = place().await;
    let file = place.file(
        "leaver.toml",
        "[[sources]]\nname = \"hr\"\nprovider = \"bamboohr\"\nwebhook_secrets = [\"env:HR_KEY\"]\ntimestamp_tolerance = \"1h\"",
    );
    let file = file.to_str().unwrap();
    let check = ["check", "--json", "--config", file];
    let said = leaver(&check, &place.env(&[]));
    assert_eq!(said.code, Some(1));
    let says = line(&said, "configuration", "error");
    assert!(
        says.contains("webhook_secrets[0]") && says.contains("HR_KEY is not set"),
        "{says}"
    );

    let said = leaver(&check, &place.env(&[("HR_KEY", "hush")])).good();
    assert!(line(&said, "source hr", "warning").contains("155 minutes"));
    assert!(!said.out.contains("hush"), "{said:?}");
}

#[tokio::test]
async fn the_database_is_checked_without_a_source() {
    let place = place().await;
    let said = leaver(&["check", "--json"], &[("DATABASE_URL", &place.url)]);
    assert_eq!(said.code, Some(1));
    assert!(line(&said, "sources", "error").contains("BAMBOOHR_WEBHOOK_SECRET"));
    line(&said, "accounts.table", "ok");
}
