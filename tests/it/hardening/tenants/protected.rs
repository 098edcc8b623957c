//! Protection holds by e-mail and by id, and stays with the account when an e-mail changes.

use leaver::jobs::drift::DriftMonitor;

use super::{EMAIL, EMPLOYED, LEFT};
use crate::support::TestApp;
use crate::support::driving::{terminated, working};

const PROTECTED: &str = "LEAVER__ACCOUNTS__PROTECTED";
const BY_EMAIL: (&str, &str) = (PROTECTED, "[\"ana@example.com\"]");

async fn app(protected: &str) -> TestApp {
    let builder = TestApp::builder().settings(&[(PROTECTED, protected)]);
    let mut app = builder.build().await;
    app.add_users(&[EMAIL, "bo@example.com"]).await;
    app
}

/// Expects that a leaver with the employee id 1 is held and not ended.
async fn assert_held(app: &mut TestApp, email: &str) {
    app.bamboohr(&[terminated("1", email, LEFT)]).await;
    assert_eq!(app.holds().await, ["open deactivate 1 1"]);
    let on = "SELECT count(*) FROM users WHERE is_active";
    assert_eq!(app.count(on).await, 2);
}

#[tokio::test]
async fn an_id_protects_as_an_address_does() {
    for protected in [
        "[\"1\"]",
        "[1]",
        "[\"nobody@example.com\", 1]",
        "[\"ANA@example.com \"]",
        "[\"nobody@example.com\", \"1\"]",
    ] {
        let mut app = app(protected).await;
        assert_held(&mut app, EMAIL).await;
    }
}

#[tokio::test]
async fn an_uuid_protects_in_any_spelling() {
    let id = "0190a5c4-aaaa-7000-8000-00000000000b";
    let mut app = TestApp::builder()
        .settings(&[(PROTECTED, &format!("[\"{}\"]", id.to_uppercase()))])
        .tables(&format!(
            "CREATE TABLE users (id uuid PRIMARY KEY, email text, is_active boolean DEFAULT true);
             CREATE TABLE sessions (user_id uuid);
             INSERT INTO users VALUES ('{id}', '{EMAIL}');"
        ))
        .build()
        .await;
    app.bamboohr(&[terminated("1", EMAIL, LEFT)]).await;
    let on = "SELECT count(*) FROM users WHERE is_active";
    assert_eq!(app.count(on).await, 1);
}

#[tokio::test]
async fn protection_stays_when_the_users_table_changes_the_address() {
    let mut app = app(BY_EMAIL.1).await;
    app.bamboohr(&[working("1", EMAIL, EMPLOYED)]).await;
    app.sql("UPDATE users SET email = 'ana.new@example.com' WHERE id = 1")
        .await;
    assert_held(&mut app, EMAIL).await;
}

#[tokio::test]
async fn protection_stays_when_both_sides_change_the_address() {
    let mut app = app(BY_EMAIL.1).await;
    app.bamboohr(&[working("1", EMAIL, EMPLOYED)]).await;
    app.sql("UPDATE users SET email = 'ana.new@example.com' WHERE id = 1")
        .await;
    let renamed = working("1", "ana.new@example.com", "2026-11-22T10:00:00Z");
    app.bamboohr(&[renamed]).await;
    assert_held(&mut app, "ana.new@example.com").await;
}

#[tokio::test]
async fn protection_is_remembered_across_a_restart() {
    let mut app = app(BY_EMAIL.1).await;
    let service = app.serve(&[]);
    service.stop();
    app.sql("UPDATE users SET email = 'ana.new@example.com' WHERE id = 1")
        .await;
    // Nobody was known of her before.
    assert_held(&mut app, "ana.new@example.com").await;
}

#[tokio::test]
async fn an_account_made_later_is_remembered_by_the_next_check() {
    let mut app = app("[\"cy@example.com\"]").await;
    app.bamboohr(&[working("1", EMAIL, EMPLOYED)]).await;
    app.sql("UPDATE users SET email = 'cy@example.com' WHERE id = 1")
        .await;
    let monitor = DriftMonitor::new(
        app.parts.engine.clone(),
        app.settings.drift.mode,
        app.settings.drift.interval,
    );
    monitor.check_if_due().await.unwrap().unwrap();
    app.sql("UPDATE users SET email = 'x@example.com' WHERE id = 1")
        .await;
    assert_held(&mut app, EMAIL).await;
}

#[tokio::test]
async fn a_removed_entry_protects_no_longer() {
    let mut app = app(BY_EMAIL.1).await;
    app.bamboohr(&[working("1", EMAIL, EMPLOYED)]).await;
    let mut other = app.beside(&["bamboohr", "merge"], &[]).await;
    other.bamboohr(&[terminated("1", EMAIL, LEFT)]).await;
    assert!(!app.is_active(EMAIL).await);
}

#[tokio::test]
async fn check_names_entries_that_nobody_has() {
    let app = app("[\"ana@example.com\", \"2\", \"gone@example.com\", \"99\"]").await;
    let lines = app.run(&["check", "--json"]).json();
    let lines: Vec<(String, String)> = lines
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| {
            line["check"]
                .as_str()
                .unwrap()
                .starts_with("accounts.protected")
        })
        .map(|line| (line["status"].to_string(), line["message"].to_string()))
        .collect();
    let found = |status: &str, words: &str| {
        let fits = |(of, text): &&(String, String)| of.contains(status) && text.contains(words);
        assert_eq!(lines.iter().filter(fits).count(), 1, "{words}: {lines:?}");
    };
    found("warning", "gone@example.com");
    found("warning", "\\\"99\\\"");
    found("ok", "2 of 4 entries protect 2 accounts");
    assert_eq!(lines.len(), 3, "{lines:?}");
}
