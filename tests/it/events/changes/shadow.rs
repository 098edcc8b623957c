//! Events of sources in shadow mode, and of the commands that start and leave it.

use super::CHANGES;
use crate::safeguard::{employ, report};
use crate::support::TestApp;

const SHADOW: (&str, &str) = ("LEAVER__SAFEGUARD__MODE", "shadow");

/// Two of four have left, one of whom has a protected account. The source is in shadow mode.
async fn shadowed() -> TestApp {
    let protected = ("LEAVER__ACCOUNTS__PROTECTED", "[\"person1@example.com\"]");
    let app = TestApp::builder()
        .settings(&[SHADOW, protected])
        .wanting(CHANGES);
    let mut app = app.build().await;
    employ(&mut app, 4).await;
    app.advance(chrono::TimeDelta::minutes(1));
    report(&mut app, 0..2, false).await;
    app
}

#[tokio::test]
async fn shadow_mode_has_no_event_of_an_account() {
    let mut app = shadowed().await;
    app.changes_have_events().await;
    let events = app.events().await;
    let shown: Vec<(&str, bool)> = events
        .iter()
        .map(|event| (event["type"].as_str().unwrap(), event["shadow"] == true))
        .collect();
    assert_eq!(shown, [("hold.opened", true)]);
}

#[tokio::test]
async fn the_released_plan_has_an_event_for_each_change() {
    let mut app = shadowed().await;
    let release = [
        "enforce",
        "--source",
        "bamboohr",
        "--backlog",
        "release",
        "--as",
        "ada",
    ];
    app.run(&release);
    app.changes_have_events().await;
    let events = app.events_of("account.deactivated").await;
    assert_eq!(events.len(), 1);
    assert!(events[0].get("shadow").is_none(), "{:#}", events[0]);
}

#[tokio::test]
async fn an_accepted_plan_has_no_event() {
    let mut app = shadowed().await;
    app.run(&[
        "enforce",
        "--source",
        "bamboohr",
        "--backlog",
        "accept",
        "--as",
        "ada",
    ]);
    assert_eq!(
        app.count("SELECT count(*) FROM leaver.holds WHERE state = 'rejected'")
            .await,
        1
    );
    app.changes_have_events().await;
    assert_eq!(app.event_types().await, ["hold.opened"]);
}
