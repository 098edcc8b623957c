//! Events as messages: many events make one.

use chrono::TimeDelta;

use super::{flip, send_due, sender};
use crate::support::driving::REACTIVATE;
use crate::support::event_receiver::Receiver;
use crate::support::{BAMBOOHR_KEY, END_SESSIONS, TestApp};

async fn app_with_channel(url: &str) -> TestApp {
    let variables = [
        ("BAMBOOHR_WEBHOOK_SECRET", BAMBOOHR_KEY),
        ("SLACK_URL", url),
        END_SESSIONS,
        REACTIVATE,
    ];
    let channel = "[[destinations]]\nname = \"it\"\nkind = \"slack\"\nurl = \"env:SLACK_URL\"\nevents = [\"account.*\"]\n";
    let mut app = TestApp::builder()
        .config_file(channel, &variables)
        .build()
        .await;
    let emails: Vec<String> = (1..=40).map(super::email).collect();
    let emails: Vec<&str> = emails.iter().map(String::as_str).collect();
    app.add_users(&emails).await;
    app
}

#[tokio::test]
async fn a_digest_waits_without_an_attempt_and_without_an_alarm() {
    let channel = Receiver::start().await;
    let mut app = app_with_channel(&channel.url).await;
    let sender = sender(&app, "it");
    flip(&mut app, 1..=40, true).await;
    assert_eq!(send_due(&sender).await, 40);
    assert_eq!(channel.requests().len(), 1, "one message for 40 events");
    for _ in 0..3 {
        flip(&mut app, 1..=5, false).await;
        flip(&mut app, 1..=5, true).await;
        send_due(&sender).await;
        app.advance(TimeDelta::minutes(3));
    }
    assert_eq!(channel.requests().len(), 1);
    assert_eq!(send_due(&sender).await, 0, "they wait");
    app.advance(TimeDelta::minutes(1));
    assert_eq!(send_due(&sender).await, 30);
    assert_eq!(channel.requests().len(), 2);
    let open = "SELECT count(*) FROM leaver.outbox_attempts WHERE state <> 'done' OR attempts > 0";
    assert_eq!(app.count(open).await, 0);
}

#[tokio::test]
async fn a_paused_channel_is_tried_with_one_message() {
    let channel = Receiver::start().await;
    let mut app = app_with_channel(&channel.url).await;
    let sender = sender(&app, "it");
    channel.answers(503);
    flip(&mut app, 1..=40, true).await;
    for _ in 0..5 {
        send_due(&sender).await;
        app.advance(TimeDelta::minutes(37));
    }
    let paused = "SELECT count(*) FROM leaver.destinations WHERE paused_at IS NOT NULL";
    assert_eq!(app.count(paused).await, 1);
    assert_eq!(channel.requests().len(), 5);
    send_due(&sender).await;
    assert_eq!(channel.requests().len(), 6, "one probe");
    channel.answers(200);
    app.advance(TimeDelta::minutes(5));
    send_due(&sender).await;
    assert_eq!(channel.accepted().len(), 1);
    assert_eq!(app.count(paused).await, 0);
    let open = "SELECT count(*) FROM leaver.outbox_attempts WHERE state <> 'done'";
    assert_eq!(app.count(open).await, 0);
}
