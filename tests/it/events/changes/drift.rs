//! `drift.found`: once for what a check finds, and once a day while it lasts.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use leaver::jobs::drift::DriftMonitor;
use leaver_core::decision::policy::DriftMode;
use serde_json::Value;

use super::assert_like_example;
use crate::support::TestApp;
use crate::support::driving::terminated;

const PEOPLE: [&str; 3] = ["ana@example.com", "ben@example.com", "cem@example.com"];

/// All three have left.
async fn app() -> TestApp {
    let mut app = TestApp::builder().wanting("drift.found").build().await;
    app.add_users(&PEOPLE).await;
    let left =
        |(n, email): (usize, &&str)| terminated(&n.to_string(), email, "2026-11-22T11:00:00Z");
    let entries: Vec<Value> = PEOPLE.iter().enumerate().map(left).collect();
    app.bamboohr(&entries).await;
    app
}

async fn set(app: &mut TestApp, email: &str, is_active: bool) {
    app.sql(&format!(
        "UPDATE users SET is_active = {is_active} WHERE email = '{email}'"
    ))
    .await;
}

/// Checks an hour later, and returns the events that it recorded as `new found fixed`.
async fn checked(app: &mut TestApp, mode: DriftMode) -> Vec<String> {
    let before = app.events().await.len();
    app.advance(TimeDelta::minutes(61));
    let hour = Duration::from_hours(1);
    let monitor = DriftMonitor::new(Arc::clone(&app.parts.engine), mode, hour);
    monitor.check_if_due().await.unwrap().unwrap();
    let events = app.events().await.split_off(before);
    let shown = |event: &Value| {
        assert_like_example(event);
        let data = &event["data"];
        format!(
            "{} {} {}",
            data["new"], data["terminated_with_access"], data["fixed"]
        )
    };
    events.iter().map(shown).collect()
}

#[tokio::test]
async fn a_finding_is_reported_once() {
    let mut app = app().await;
    let report = DriftMode::Report;
    assert_eq!(checked(&mut app, report).await, [""; 0]);
    set(&mut app, PEOPLE[0], true).await;
    assert_eq!(checked(&mut app, report).await, ["1 1 0"]);
    assert_eq!(checked(&mut app, report).await, [""; 0]);
    set(&mut app, PEOPLE[1], true).await;
    assert_eq!(checked(&mut app, report).await, ["1 2 0"]);
    // One is replaced by another: the number stays.
    set(&mut app, PEOPLE[0], false).await;
    set(&mut app, PEOPLE[2], true).await;
    assert_eq!(checked(&mut app, report).await, ["1 2 0"]);
    set(&mut app, PEOPLE[1], false).await;
    set(&mut app, PEOPLE[2], false).await;
    assert_eq!(checked(&mut app, report).await, [""; 0]);
    set(&mut app, PEOPLE[0], true).await;
    assert_eq!(checked(&mut app, report).await, ["1 1 0"]);
}

#[tokio::test]
async fn a_finding_that_lasts_is_repeated_daily() {
    let mut app = app().await;
    set(&mut app, PEOPLE[0], true).await;
    let mut events = vec![];
    for _ in 0..49 {
        events.extend(checked(&mut app, DriftMode::Report).await);
    }
    assert_eq!(events, ["1 1 0", "0 1 0", "0 1 0"]);
}

#[tokio::test]
async fn access_that_a_check_ends_is_reported() {
    let mut app = app().await;
    set(&mut app, PEOPLE[0], true).await;
    assert_eq!(checked(&mut app, DriftMode::Fix).await, ["0 0 1"]);
    assert_eq!(checked(&mut app, DriftMode::Fix).await, [""; 0]);
}

#[tokio::test]
async fn a_new_destination_learns_what_lasts() {
    let mut app = TestApp::new().await;
    app.add_users(&PEOPLE[..1]).await;
    app.bamboohr(&[terminated("0", PEOPLE[0], "2026-11-22T11:00:00Z")])
        .await;
    set(&mut app, PEOPLE[0], true).await;
    assert_eq!(checked(&mut app, DriftMode::Report).await, [""; 0]);
    let wanting = TestApp::builder().wanting("drift.found").build().await;
    app.settings
        .destinations
        .clone_from(&wanting.settings.destinations);
    let mut app = app.beside(&["bamboohr"], &[]).await;
    assert_eq!(checked(&mut app, DriftMode::Report).await, ["0 1 0"]);
}
