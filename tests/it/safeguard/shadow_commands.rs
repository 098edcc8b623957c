//! The commands of shadow mode: `plan`, `enforce`, `shadow`, and those that it changes.

use chrono::TimeDelta;
use serde_json::Value;

use super::shadow::{SHADOW, shadowed_app};
use super::{email, employ, held, inactive, report};
use crate::support::TestApp;
use crate::support::driving::event;

const ENFORCE: [&str; 3] = ["enforce", "--source", "bamboohr"];

/// Returns an app in shadow mode with this many planned leavers of six employees.
async fn with_backlog(settings: &[(&str, &str)], count: usize) -> TestApp {
    let mut app = TestApp::builder()
        .settings(&[&[SHADOW], settings].concat())
        .build()
        .await;
    employ(&mut app, 6).await;
    app.advance(TimeDelta::minutes(1));
    report(&mut app, 0..count, false).await;
    app
}

/// Returns the mode of BambooHR, as health shows it.
async fn mode(app: &TestApp) -> Value {
    app.get("/health").await.body["sources"]["bamboohr"]["mode"].clone()
}

fn enforce(app: &TestApp, backlog: &str) -> (Option<i32>, Value) {
    let args = [
        &ENFORCE[..],
        &["--backlog", backlog, "--as", "ada", "--json"],
    ]
    .concat();
    let out = app.run(&args);
    (out.code, out.json())
}

#[tokio::test]
async fn enforce_shows_the_backlog_and_does_nothing_without_an_answer() {
    let mut app = with_backlog(&[], 2).await;
    let out = app.run(&ENFORCE);
    assert_eq!(out.code, Some(1), "{out:?}");
    let plan = app.run(&["plan", "--json"]).json();
    let digest = plan["digest"].as_str().unwrap();
    assert!(out.err.contains(digest) && out.out.contains(&email(1)));
    assert!(out.err.contains("--backlog release"), "{out:?}");
    assert_eq!(inactive(&mut app).await, 0);
    assert_eq!(mode(&app).await, "shadow");
    assert_eq!(
        plan["changes"][0]["reason"]
            .as_str()
            .unwrap()
            .find("shadow"),
        None
    );
}

#[tokio::test]
async fn a_release_makes_the_changes_with_the_digest_of_the_plan() {
    let mut app = with_backlog(&[], 3).await;
    let plan = app.run(&["plan", "--json"]).json();
    let (code, done) = enforce(&app, "release");
    assert_eq!(code, Some(0), "{done}");
    assert_eq!(done["digest"], plan["digest"]);
    assert_eq!(inactive(&mut app).await, 3);
    assert_eq!(app.user(&email(0)).await, (false, 0));
    assert_eq!(
        app.audit_in_full().await,
        [
            "mode_changed - - cli:ada",
            "deactivated 0 1 cli:ada",
            "deactivated 1 2 cli:ada",
            "deactivated 2 3 cli:ada"
        ]
    );
    let changes = "SELECT count(*) FROM leaver.changes WHERE counted AND cause = 'cli'";
    assert_eq!(app.count(changes).await, 3);
    assert_eq!(app.count("SELECT count(*) FROM leaver.plan").await, 0);
    assert_eq!(mode(&app).await, "enforce");
    app.advance(TimeDelta::minutes(1));
    report(&mut app, 3..4, false).await;
    assert_eq!(inactive(&mut app).await, 4);
}

#[tokio::test]
async fn a_release_above_a_limit_trips_and_holds_all() {
    let limits = [
        ("LEAVER__SAFEGUARD__HOUR__FLOOR", "2"),
        ("LEAVER__SAFEGUARD__DAY__FLOOR", "5"),
    ];
    let mut app = with_backlog(&limits, 3).await;
    let plan = app.run(&["plan", "--json"]).json();
    assert_eq!(plan["limits"][0]["would_be_held"], true, "{plan}");
    // On a pipe the remark about the limit is a note, beside the table.
    let text = app.run(&["plan"]).err;
    assert!(text.contains("limit 2 of 6 accounts"), "{text}");
    let args = [&ENFORCE[..], &["--backlog", "release"]].concat();
    let out = app.run(&args);
    assert_eq!(out.code, Some(1), "{out:?}");
    assert!(out.err.contains("leaver safeguard release 1"), "{out:?}");
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (0, 3));
    assert_eq!(app.count("SELECT count(*) FROM leaver.plan").await, 0);
    assert_eq!(mode(&app).await, "enforce");
}

#[tokio::test]
async fn an_accepted_backlog_stays_until_facts_change() {
    let mut app = with_backlog(&[], 2).await;
    let (code, done) = enforce(&app, "accept");
    assert_eq!(code, Some(0), "{done}");
    assert_eq!(done["results"][1]["outcome"], "accepted");
    assert_eq!(
        app.audit().await,
        ["mode_changed -", "accepted 0", "accepted 1"]
    );
    app.advance(TimeDelta::minutes(1));
    report(&mut app, 0..3, false).await;
    assert_eq!(app.active().await.len(), 5);
    assert!(app.is_active(&email(0)).await && !app.is_active(&email(2)).await);
    assert_eq!(app.run(&["drift"]).code, Some(0));
    // The person returns, and leaves again.
    app.advance(TimeDelta::minutes(1));
    report(&mut app, 0..1, true).await;
    app.advance(TimeDelta::minutes(1));
    report(&mut app, 0..1, false).await;
    assert!(!app.is_active(&email(0)).await);
    assert!(app.is_active(&email(1)).await);
}

#[tokio::test]
async fn a_release_decides_by_the_facts_of_the_moment() {
    let mut app = with_backlog(&[], 2).await;
    app.sql("UPDATE users SET is_active = false WHERE id = 1")
        .await;
    let (code, done) = enforce(&app, "release");
    assert_eq!(code, Some(0), "{done}");
    assert_eq!(done["results"][0]["outcome"], "already_inactive");
    assert_eq!(done["results"][1]["outcome"], "deactivated");
}

#[tokio::test]
async fn shadow_and_enforce_change_the_mode_and_say_so() {
    let mut app = TestApp::new().await;
    let args = ["shadow", "--source", "bamboohr", "--as", "ada"];
    let out = app.run(&args);
    assert_eq!(out.code, Some(0), "{out:?}");
    assert!(out.out.contains("in shadow mode now"), "{out:?}");
    assert!(app.run(&args).out.contains("already"));
    let out = app.run(&["check"]);
    let line = out
        .out
        .lines()
        .find(|line| line.contains("source bamboohr mode"));
    let line = line.unwrap();
    assert!(
        line.starts_with("warning") && line.contains("by cli:ada"),
        "{line}"
    );
    assert!(line.contains("leaver enforce --source bamboohr"), "{line}");
    let out = app.run(&ENFORCE);
    assert_eq!(out.code, Some(0), "{out:?}");
    assert!(app.run(&ENFORCE).err.contains("already"));
    assert_eq!(app.audit().await, ["mode_changed -", "mode_changed -"]);
    let unknown = app.run(&["shadow", "--source", "another"]);
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
}

#[tokio::test]
async fn approving_a_hold_is_refused_and_leaver_end_is_carried_out() {
    let mut app = shadowed_app().await;
    employ(&mut app, 2).await;
    app.advance(TimeDelta::minutes(1));
    report(&mut app, 1..2, false).await;
    // Without an API, a change without values is a question.
    app.deliver(
        "bamboohr",
        &event("employee.updated", "0", "2026-11-22T12:01:00Z"),
    )
    .await;
    let id = app.open_hold().await.to_string();
    let out = app.run(&["holds", "approve", &id]);
    assert_eq!(out.code, Some(3), "{out:?}");
    assert!(
        out.err.contains("leaver enforce --source bamboohr"),
        "{out:?}"
    );
    assert_eq!(inactive(&mut app).await, 0);
    assert!(app.run(&["holds", "list"]).err.contains("shadow mode"));
    let email = email(1);
    let out = app.run(&["end", &email, "--reason", "left", "--yes"]);
    assert_eq!(out.code, Some(0), "{out:?}");
    assert_eq!(inactive(&mut app).await, 1);
    assert_eq!(app.count("SELECT count(*) FROM leaver.plan").await, 0);
}

#[tokio::test]
async fn explain_shows_a_planned_leaver() {
    let app = with_backlog(&[], 1).await;
    let found = app.run(&["explain", "0", "--json"]).json();
    assert_eq!(found[0]["state"], "has access");
    assert_eq!(found[0]["decision"], "planned");
    let text = app.run(&["explain", "0"]).out;
    assert!(text.contains("leaver plan"), "{text}");
}

#[tokio::test]
async fn the_mode_of_the_file_counts_until_the_source_is_seen() {
    let app = shadowed_app().await;
    let service = app.serve(&[]);
    let (_, _, body) = service.get("/health").await;
    let health: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(health["mode"], "shadow", "{health}");
    service.stop();
    let service = app.serve(&[("LEAVER__SAFEGUARD__MODE", "enforce")]);
    let (_, _, body) = service.get("/health").await;
    let health: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(health["sources"]["merge"]["mode"], "shadow", "{health}");
    let log = service.stop().err;
    assert!(log.contains("the configured mode has no effect"), "{log}");
}
