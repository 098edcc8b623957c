//! `hold.*` events.

use serde_json::json;

use super::{CHANGES, assert_like_example};
use crate::support::TestApp;
use crate::support::driving::{terminated, working};

const DANA: &str = "dana@example.com";
const NINE: &str = "2026-11-22T09:00:00Z";

/// Dana has left, and her account is protected.
async fn app() -> TestApp {
    let protected = [("LEAVER__ACCOUNTS__PROTECTED", "[\"dana@example.com\"]")];
    let app = TestApp::builder().settings(&protected).wanting(CHANGES);
    let mut app = app.build().await;
    app.add_users(&[DANA]).await;
    app.bamboohr(&[terminated("1", DANA, NINE)]).await;
    app
}

#[tokio::test]
async fn an_approved_hold_is_opened_and_closed_once() {
    let mut app = app().await;
    let id = app.open_hold().await;
    app.approve(id, None).await.unwrap();
    app.changes_have_events().await;
    let events = app.events().await;
    let types: Vec<&str> = events.iter().map(|e| e["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["hold.opened", "hold.closed", "account.deactivated"]);
    assert_like_example(&events[0]);
    assert_like_example(&events[1]);
    let reason = events[0]["data"]["reason"].clone();
    assert_eq!(
        events[0]["details"],
        json!({ "reason": reason, "work_email": DANA })
    );
    assert_eq!(
        events[1]["data"],
        json!({"account_id": "1", "by": "cli", "hold_id": id, "requested_action": "deactivate", "state": "approved",
               "trip_id": null})
    );
    assert_eq!(events[2]["data"]["cause"], "cli");
    let data: String = events
        .iter()
        .map(|event| event["data"].to_string())
        .collect();
    assert!(!data.contains("dana") && !data.contains("ada"), "{data}");
}

#[tokio::test]
async fn a_rejected_hold_is_closed_once() {
    let mut app = app().await;
    let id = app.open_hold().await;
    app.reject(id).await.unwrap();
    assert!(app.reject(id).await.is_err());
    app.bamboohr(&[terminated("1", DANA, "2026-11-22T09:30:00Z")])
        .await;
    app.changes_have_events().await;
    let closed = app.events_of("hold.closed").await;
    assert_eq!(closed.len(), 1);
    assert_eq!(closed[0]["data"]["state"], "rejected");
}

#[tokio::test]
async fn newer_facts_withdraw_a_hold() {
    let mut app = app().await;
    app.bamboohr(&[working("1", DANA, "2026-11-22T10:00:00Z")])
        .await;
    app.changes_have_events().await;
    let closed = app.events_of("hold.closed").await;
    assert_eq!(closed.len(), 1);
    assert_eq!(closed[0]["data"]["state"], "withdrawn");
    assert_eq!(closed[0]["data"]["by"], "system");
}

#[tokio::test]
async fn newer_facts_of_an_open_hold_are_no_event() {
    let mut app = app().await;
    let mut later = terminated("1", DANA, "2026-11-22T10:00:00Z");
    later["fields"]["terminationDate"] = json!("2026-11-20");
    app.bamboohr(&[later]).await;
    app.changes_have_events().await;
    assert_eq!(app.event_types().await, ["hold.opened"]);
}

#[tokio::test]
async fn an_end_by_hand_withdraws_the_hold_of_the_account() {
    let mut app = app().await;
    let reason = [
        "end",
        DANA,
        "--reason",
        "lost laptop",
        "--as",
        "ada",
        "--yes",
        "--protected",
    ];
    app.run(&reason).succeeded();
    app.changes_have_events().await;
    let types = app.event_types().await;
    assert_eq!(types, ["hold.opened", "account.deactivated", "hold.closed"]);
}
