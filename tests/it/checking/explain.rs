//! `leaver explain` agrees with itself: who answered, which addresses were tried, each reason once.

use serde_json::Value;

use crate::support::TestApp;
use crate::support::driving::{terminated, working};
use crate::support::terminal::run_on_terminal;

const DANA: &str = "dana@example.com";
const AS_OF: &str = "2026-11-22T11:00:00Z";
const PROTECTED: (&str, &str) = ("LEAVER__ACCOUNTS__PROTECTED", r#"["dana@example.com"]"#);

/// Returns what `leaver explain` prints of the employee with the id 7, as JSON and for people.
fn explained(app: &TestApp) -> (Value, String) {
    let json = app.run(&["explain", "7", "--json"]).succeeded().json();
    let text = run_on_terminal(&["explain", "7"], &app.env(&[]), 600)
        .succeeded()
        .out;
    (json[0].clone(), text)
}

/// Returns the rest of the line that begins with these words.
fn line<'t>(text: &'t str, begin: &str) -> &'t str {
    let found = text.lines().find_map(|line| line.strip_prefix(begin));
    found
        .unwrap_or_else(|| panic!("no {begin:?} in {text}"))
        .trim()
}

/// Creates Dana's protected account and her end, which waits as a hold.
async fn held() -> TestApp {
    let mut app = TestApp::builder().settings(&[PROTECTED]).build().await;
    app.add_users(&[DANA]).await;
    app.bamboohr(&[terminated("7", DANA, AS_OF)]).await;
    app
}

#[tokio::test]
async fn a_rejected_hold_is_shown_with_who_when_and_what() {
    let app = held().await;
    app.run(&["holds", "reject", "1", "--as", "kim"])
        .succeeded();
    let (json, text) = explained(&app);
    assert_eq!(json["state"], "has access");
    assert_eq!(json["decision"], "keep");
    assert_eq!(json["answer"]["by"], "cli:kim");
    assert_eq!(json["answer"]["what"], "rejected hold 1 (deactivate)");
    let state = line(&text, "state:");
    assert!(
        state.starts_with("has access, since cli:kim rejected hold 1 (deactivate) at 20"),
        "{text}"
    );
    assert!(!text.contains("although the person left"), "{text}");
    assert!(
        line(&text, "last answer:").starts_with("cli:kim rejected hold 1"),
        "{text}"
    );
}

#[tokio::test]
async fn an_approved_hold_is_shown_with_who_when_and_what() {
    let app = held().await;
    app.run(&["holds", "approve", "1", "--as", "kim"])
        .succeeded();
    let (json, text) = explained(&app);
    assert_eq!(json["state"], "ended");
    assert_eq!(json["hold"], Value::Null);
    assert!(line(&text, "state:").starts_with("ended at "), "{text}");
    assert!(line(&text, "last answer:").starts_with("cli:kim approved hold 1 (deactivate) at 20"));
}

#[tokio::test]
async fn an_answer_on_other_facts_is_no_open_question() {
    let mut app = held().await;
    app.run(&["holds", "reject", "1", "--as", "kim"])
        .succeeded();
    app.bamboohr(&[working("7", DANA, "2026-11-22T11:30:00Z")])
        .await;
    let (json, text) = explained(&app);
    assert_eq!(json["state"], "employed");
    assert_eq!(json["hold"], Value::Null);
    assert_eq!(line(&text, "state:"), "employed");
}

#[tokio::test]
async fn access_that_a_person_ended_by_hand_names_the_person() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA]).await;
    app.bamboohr(&[working("7", DANA, AS_OF)]).await;
    app.run(&[
        "end",
        DANA,
        "--reason",
        "lost laptop",
        "--as",
        "kim",
        "--yes",
    ]);
    let (json, text) = explained(&app);
    assert_eq!(json["state"], "ended", "{text}");
    let answer = line(&text, "last answer:");
    assert!(
        answer.starts_with("cli:kim ended access by hand at 20"),
        "{text}"
    );
    assert!(answer.contains("lost laptop"), "{text}");
}

#[tokio::test]
async fn an_undone_change_names_the_person() {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA]).await;
    app.bamboohr(&[terminated("7", DANA, AS_OF)]).await;
    let since = [
        "undo",
        "--since",
        "2026-11-22T00:00:00Z",
        "--as",
        "kim",
        "--json",
    ];
    let digest = app.run(&since).succeeded().json()["digest"]
        .as_str()
        .unwrap()
        .to_owned();
    app.run(&[&since[..], &["--confirm", &digest]].concat())
        .succeeded();
    let (json, text) = explained(&app);
    assert_eq!(json["state"], "has access", "{text}");
    assert!(
        line(&text, "state:").starts_with("has access, since cli:kim undid the change at 20"),
        "{text}"
    );
    assert_eq!(json["deactivated_at"], Value::Null);
}

#[tokio::test]
async fn a_leaver_without_an_account_is_shown_with_the_addresses_tried() {
    let domains = (
        "LEAVER__ACCOUNTS__EMAIL_DOMAINS",
        r#"{ "old.example" = "example.com" }"#,
    );
    let mut app = TestApp::builder().settings(&[domains]).build().await;
    app.bamboohr(&[terminated("7", DANA, AS_OF)]).await;
    let (json, text) = explained(&app);
    let tried: Vec<&str> = json["addresses_tried"]
        .as_array()
        .unwrap()
        .iter()
        .map(|address| address.as_str().unwrap())
        .collect();
    assert_eq!(tried, ["dana@example.com", "dana@old.example"]);
    let state = line(&text, "state:");
    assert!(
        state.starts_with("left, and no account found, since 2026-11-22"),
        "{text}"
    );
    assert!(
        state.contains("addresses tried: dana@example.com, dana@old.example"),
        "{text}"
    );
}

#[tokio::test]
async fn a_repeated_reason_is_printed_once() {
    let app = held().await;
    app.run(&["holds", "approve", "1", "--as", "kim"])
        .succeeded();
    let (json, text) = explained(&app);
    let reason = json["reason"].as_str().unwrap();
    assert_eq!(text.matches(reason).count(), 1, "{text}");
    let answer = line(&text, "last answer:");
    assert!(
        answer.ends_with(": as in `reason`; but the account is protected (`accounts.protected`)"),
        "{text}"
    );
    assert_eq!(text.matches("as in `last answer`").count(), 3, "{text}");
}
