//! Holds without a trip: at once, then at most every ten minutes.

use chrono::TimeDelta;

use super::slack_stub::Slack;
use super::*;
use crate::safeguard::{email, employ, report};

/// Opens a hold: an account that is protected meanwhile.
async fn open_hold(app: &mut TestApp, n: usize) {
    report(app, n..n + 1, false).await;
}

/// Returns an app in which each account is protected, with employees.
async fn with_protected(slack: &Slack) -> TestApp {
    let protected = [(
        "LEAVER__ACCOUNTS__PROTECTED_WHERE",
        "email LIKE '%@example.com'",
    )];
    let mut app = app_with(&channel(&slack.url, ""), &protected).await;
    employ(&mut app, 5).await;
    app
}

#[tokio::test]
async fn the_first_hold_is_reported_at_once_and_others_in_a_digest() {
    let slack = Slack::start().await;
    let mut app = with_protected(&slack).await;
    open_hold(&mut app, 0).await;
    send_due(&app, "team").await;
    let first = slack.only();
    assert!(
        first
            .text()
            .starts_with("*1 change of default waits for a decision*"),
        "{}",
        first.text()
    );
    assert!(!first.text().contains(&email(0)) && first.text().contains("leaver holds approve"));

    for n in 1..4 {
        app.advance(TimeDelta::minutes(3));
        open_hold(&mut app, n).await;
        send_due(&app, "team").await;
    }
    assert_eq!(slack.posted().len(), 1, "nine minutes later");
    assert_eq!(open(&mut app).await, 3);
    app.advance(TimeDelta::minutes(1));
    send_due(&app, "team").await;
    assert_eq!(slack.posted().len(), 2);
    let digest = slack.posted().remove(1);
    assert!(
        digest.text().starts_with("*3 changes of default wait"),
        "{}",
        digest.text()
    );
    assert_eq!(open(&mut app).await, 0);
    let attempts = "SELECT sum(attempts)::bigint FROM leaver.outbox_attempts";
    assert_eq!(app.count(attempts).await, 0, "waiting is no failed attempt");
}

#[tokio::test]
async fn a_digest_that_failed_does_not_delay_the_next_one() {
    let slack = Slack::start().await;
    let mut app = with_protected(&slack).await;
    open_hold(&mut app, 0).await;
    slack.refuses("internal_error");
    send_due(&app, "team").await;
    app.advance(TimeDelta::seconds(10));
    send_due(&app, "team").await;
    assert_eq!(slack.posted().len(), 2);
    assert_eq!(open(&mut app).await, 0);
}
