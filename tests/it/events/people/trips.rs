//! A trip of 500 changes is one message.

use serde_json::json;

use super::sink::Sink;
use super::slack_stub::Slack;
use super::*;
use crate::safeguard::{employ, report};

/// Reports 500 employees, and then that all of them left.
async fn trip(app: &mut TestApp) {
    employ(app, 500).await;
    report(app, 0..500, false).await;
    let held = "SELECT count(*) FROM leaver.outbox WHERE type = 'hold.opened'";
    assert_eq!(app.count(held).await, 500);
}

#[tokio::test]
async fn a_trip_of_500_is_one_message_without_a_name() {
    let (slack, sink) = (Slack::start().await, Sink::start("127.0.0.1", &json!({})));
    let mail = mailbox(
        &format!("smtp://127.0.0.1:{}", sink.port),
        "\"it@example.com\"",
        "",
    );
    let mut app = app_with(&(channel(&slack.url, "") + &mail), &[]).await;
    trip(&mut app).await;
    send_due(&app, "team").await;
    send_due(&app, "mail").await;
    assert_eq!(open(&mut app).await, 0);

    let posted = slack.only();
    assert_eq!(posted.path, "/api/chat.postMessage");
    assert_eq!(
        posted.authorization.as_deref(),
        Some("Bearer xoxb-hush-1-2-3")
    );
    assert_eq!(posted.body["channel"], "C0123456789");
    assert_eq!(
        (&posted.body["unfurl_links"], &posted.body["link_names"]),
        (&json!(false), &json!(false))
    );
    let email = sink.only();
    let subject = text(&email["headers"], "Subject");
    assert_eq!(
        subject,
        "The safeguard stopped 500 deactivations of default"
    );
    for shown in [posted.text(), text(&email, "text")] {
        assert!(shown.contains("leaver safeguard release 1"), "{shown}");
        assert_impersonal(shown);
    }
    assert!(
        posted.text().starts_with(&format!("*{subject}*\n")),
        "{}",
        posted.text()
    );
}

#[tokio::test]
async fn people_are_named_where_that_is_configured() {
    let (slack, sink) = (Slack::start().await, Sink::start("127.0.0.1", &json!({})));
    let mail = mailbox(
        &format!("smtp://127.0.0.1:{}", sink.port),
        "\"it@example.com\"",
        NAMES,
    );
    let mut app = app_with(&(channel(&slack.url, NAMES) + &mail), &[]).await;
    trip(&mut app).await;
    send_due(&app, "team").await;
    send_due(&app, "mail").await;
    let (posted, email) = (slack.only(), sink.only());
    for shown in [posted.text(), text(&email, "text")] {
        assert!(shown.contains("@example.com (employee "), "{shown}");
        assert!(shown.contains("and 480 more"), "{shown}");
    }
}

#[tokio::test]
async fn a_trip_in_parts_is_followed_by_one_digest() {
    let slack = Slack::start().await;
    let mut app = app_with(&channel(&slack.url, ""), &[]).await;
    employ(&mut app, 40).await;
    for n in 0..40 {
        report(&mut app, n..n + 1, false).await;
        send_due(&app, "team").await;
    }
    let first = slack.only();
    assert!(
        first
            .text()
            .contains("The safeguard stopped 1 deactivation"),
        "{}",
        first.text()
    );
    app.advance(chrono::TimeDelta::minutes(10));
    send_due(&app, "team").await;
    assert_eq!(slack.posted().len(), 2);
    let digest = slack.posted().remove(1);
    assert!(
        digest.text().contains("held by trip 1"),
        "{}",
        digest.text()
    );
    assert_impersonal(digest.text());
    assert_eq!(open(&mut app).await, 0);
}

#[tokio::test]
async fn two_replicas_send_one_message_about_a_trip() {
    let slack = Slack::start().await;
    let mut app = app_with(&channel(&slack.url, ""), &[]).await;
    trip(&mut app).await;
    tokio::join!(send_due(&app, "team"), send_due(&app, "team"));
    send_due(&app, "team").await;
    assert_eq!(open(&mut app).await, 0);
    slack.only();
}
