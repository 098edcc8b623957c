//! Merge without a list: the first linked account that delivers is the company. No other one has an effect.

use chrono::TimeDelta;
use leaver_core::domain::DeliveryId;

use super::{KEYS, LINKED_A, LINKED_B, deletion, reasons, record, with_config};
use crate::support::{JSON, TestApp};

const EMAIL: &str = "ana@example.com";
const EMPLOYED: &str = "2026-11-22T09:00:00Z";
const LEFT: &str = "2026-11-22T11:00:00Z";
const DAY: Option<&str> = Some("2026-11-20T00:00:00Z");
const NOT_LISTED: &str = "linked_account_not_listed";

const LISTED: &str = r#"
[[sources]]
name = "merge"
provider = "merge"
webhook_secrets = ["env:KEY_M"]
linked_accounts = [{ id = "5b0f3a9e-1c2d-4e3f-8a4b-6c7d8e9f0a1b", tenant = "default" }]
"#;

/// Ana of company A, whose linked account delivered first.
async fn employed() -> TestApp {
    let mut app = TestApp::new().await;
    app.add_users(&[EMAIL]).await;
    app.deliver("merge", &record(LINKED_A, "a", EMAIL, EMPLOYED, None))
        .await;
    app
}

async fn states(app: &mut TestApp) -> Vec<String> {
    app.lines("SELECT state FROM leaver.deliveries ORDER BY id")
        .await
}

/// Processes a delivery again. The clock of the command `replay` is not that of the service here.
async fn replay(app: &mut TestApp, id: DeliveryId) {
    app.sql(&format!(
        "UPDATE leaver.deliveries SET state = 'pending', next_attempt_at = received_at WHERE id = '{id}'"
    ))
    .await;
    app.work().await;
}

#[tokio::test]
async fn another_linked_account_ends_keeps_and_returns_nothing() {
    let mut app = employed().await;
    // It ends nothing.
    app.deliver("merge", &record(LINKED_B, "b", EMAIL, LEFT, DAY))
        .await;
    assert!(app.is_active(EMAIL).await);
    // It keeps nothing.
    app.deliver("merge", &record(LINKED_B, "b2", EMAIL, LEFT, None))
        .await;
    app.deliver("merge", &record(LINKED_A, "a", EMAIL, LEFT, DAY))
        .await;
    assert!(!app.is_active(EMAIL).await);
    // It gives nothing back.
    let later = "2026-11-22T11:30:00Z";
    app.deliver("merge", &record(LINKED_B, "b3", EMAIL, later, None))
        .await;
    assert!(!app.is_active(EMAIL).await);
    assert_eq!(app.holds().await, [""; 0]);
    let employees = "SELECT employee_id FROM leaver.employees";
    assert_eq!(app.lines(employees).await, ["a"]);
    assert!(reasons(&app).await.contains(&NOT_LISTED.to_owned()));
}

#[tokio::test]
async fn the_company_stays_although_another_one_arrived_earlier() {
    let mut app = TestApp::new().await;
    app.add_users(&[EMAIL]).await;
    let other = record(LINKED_B, "b", EMAIL, LEFT, DAY);
    let other = app.store("merge", &other).await;
    // It is processed later than a delivery that arrives after it.
    app.sql("UPDATE leaver.deliveries SET state = 'failed'")
        .await;
    app.advance(TimeDelta::seconds(1));
    app.deliver("merge", &record(LINKED_A, "a", EMAIL, EMPLOYED, None))
        .await;
    replay(&mut app, other).await;
    assert_eq!(states(&mut app).await, ["failed", "processed"]);
    app.deliver("merge", &record(LINKED_A, "a", EMAIL, EMPLOYED, None))
        .await;
    let company =
        "SELECT linked_account_id FROM leaver.linked_accounts WHERE company_since IS NOT NULL";
    assert_eq!(app.lines(company).await, [LINKED_A]);
    assert!(app.is_active(EMAIL).await);
}

#[tokio::test]
async fn two_first_deliveries_in_one_batch_make_one_company() {
    let mut app = TestApp::new().await;
    app.add_users(&[EMAIL]).await;
    for body in [
        record(LINKED_A, "a", EMAIL, EMPLOYED, None),
        record(LINKED_B, "b", EMAIL, LEFT, DAY),
    ] {
        app.send("merge", JSON, body.to_string()).await;
    }
    app.work().await;
    assert_eq!(states(&mut app).await, ["processed", "failed"]);
    assert!(app.is_active(EMAIL).await);
}

#[tokio::test]
async fn the_next_account_takes_the_place_of_a_deleted_one() {
    let mut app = employed().await;
    app.deliver("merge", &deletion(LINKED_A)).await;
    app.advance(TimeDelta::seconds(1));
    app.deliver("merge", &record(LINKED_B, "b", EMAIL, EMPLOYED, None))
        .await;
    // The deleted one has no effect any more.
    app.deliver("merge", &record(LINKED_A, "a", EMAIL, LEFT, DAY))
        .await;
    assert!(app.is_active(EMAIL).await);
    app.deliver("merge", &record(LINKED_B, "b", EMAIL, LEFT, DAY))
        .await;
    assert!(!app.is_active(EMAIL).await);
    let expected = ["processed", "ignored", "processed", "failed", "processed"];
    assert_eq!(states(&mut app).await, expected);
}

#[tokio::test]
async fn a_delivery_from_before_the_deletion_still_counts() {
    let mut app = employed().await;
    let earlier = record(LINKED_A, "a", EMAIL, LEFT, DAY);
    let earlier = app.store("merge", &earlier).await;
    app.sql("UPDATE leaver.deliveries SET state = 'failed' WHERE state = 'pending'")
        .await;
    app.advance(TimeDelta::seconds(1));
    app.deliver("merge", &deletion(LINKED_A)).await;
    replay(&mut app, earlier).await;
    assert!(!app.is_active(EMAIL).await);
}

#[tokio::test]
async fn a_delivery_without_a_linked_account_has_no_effect() {
    let mut app = employed().await;
    let mut body = record(LINKED_A, "a", EMAIL, LEFT, DAY);
    for account in [
        serde_json::json!(null),
        serde_json::json!({}),
        serde_json::json!({"id": null}),
    ] {
        body["linked_account"] = account;
        app.deliver("merge", &body).await;
    }
    body.as_object_mut().unwrap().remove("linked_account");
    app.deliver("merge", &body).await;
    assert!(app.is_active(EMAIL).await);
    assert_eq!(states(&mut app).await[1..], ["failed"; 4]);
}

#[tokio::test]
async fn health_is_degraded_until_the_account_is_listed() {
    let app = TestApp::builder().config_file(LISTED, &KEYS).build().await;
    let mut app = app;
    app.add_users(&[EMAIL]).await;
    app.deliver("merge", &record(LINKED_A, "a", EMAIL, EMPLOYED, None))
        .await;
    assert_eq!(reasons(&app).await, [""; 0]);
    app.deliver("merge", &record(LINKED_B, "b", EMAIL, LEFT, DAY))
        .await;
    assert!(app.is_active(EMAIL).await);
    assert_eq!(states(&mut app).await, ["processed", "ignored"]);
    assert_eq!(reasons(&app).await, [NOT_LISTED]);
    let text = app.get("/health").await.body["reasons"][0]["text"].clone();
    assert!(text.as_str().unwrap().contains(LINKED_B), "{text}");
    let both = LISTED.replace(
        "linked_accounts = [",
        &format!("linked_accounts = [{{ id = \"{LINKED_B}\", tenant = \"default\" }}, "),
    );
    let listed = with_config(&app, &both).await;
    assert_eq!(reasons(&listed).await, [""; 0]);
    let ignored = format!("{LISTED}\nignored_linked_accounts = [\"{LINKED_B}\"]");
    let mut ignored = with_config(&app, &ignored).await;
    ignored
        .deliver("merge", &record(LINKED_B, "b", EMAIL, LEFT, DAY))
        .await;
    assert!(app.is_active(EMAIL).await);
    assert_eq!(reasons(&ignored).await, [""; 0]);
}
