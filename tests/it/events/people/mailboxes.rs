//! What an e-mail looks like, and recipients that a server refuses.

use chrono::TimeDelta;
use serde_json::json;

use super::sink::Sink;
use super::*;
use crate::safeguard::{employ, report};

/// Returns an app with a trip, and its mail server.
async fn tripped(to: &str) -> (TestApp, Sink) {
    let sink = Sink::start("127.0.0.1", &json!({}));
    let url = format!("smtp://127.0.0.1:{}", sink.port);
    let mut app = app_with(&mailbox(&url, to, ""), &[]).await;
    employ(&mut app, 10).await;
    report(&mut app, 0..5, false).await;
    (app, sink)
}

#[tokio::test]
async fn an_email_is_plain_text_that_nothing_answers() {
    let (app, sink) = tripped("\"it@example.com\", \"Ops Team <ops@example.com>\"").await;
    send_due(&app, "mail").await;
    let email = sink.only();
    assert_eq!(email["mail_from"], "leaver@example.com");
    assert_eq!(
        email["rcpt_to"],
        json!(["it@example.com", "ops@example.com"])
    );
    let header = |name| text(&email["headers"], name);
    assert_eq!(header("Auto-Submitted"), "auto-generated");
    assert_eq!(header("From"), "Leaver <leaver@example.com>");
    assert!(
        header("Content-Type").starts_with("text/plain; charset=\"utf-8\""),
        "{}",
        header("Content-Type")
    );
    assert!(header("Message-ID").ends_with("@example.com>"));
    assert!(!header("Date").is_empty());
    assert!(text(&email, "text").starts_with("The safeguard tripped (trip 1)."));
}

#[tokio::test]
async fn a_repetition_has_the_same_message_id() {
    let (mut app, sink) = tripped("\"later@example.com\"").await;
    send_due(&app, "mail").await;
    let error = state(&mut app, "mail").await.1.unwrap();
    assert!(
        error.contains("refused the message for now (code 451)"),
        "{error}"
    );
    app.advance(TimeDelta::seconds(10));
    send_due(&app, "mail").await;
    let sent = sink.transfers();
    let codes: Vec<&Value> = sent.iter().map(|one| &one["code"]).collect();
    assert_eq!(codes, [451, 250]);
    assert_eq!(
        sent[0]["headers"]["Message-ID"],
        sent[1]["headers"]["Message-ID"]
    );
    assert_eq!(open(&mut app).await, 0);
}

#[tokio::test]
async fn a_refused_recipient_does_not_keep_it_from_others() {
    let (mut app, sink) =
        tripped("\"gone@example.com\", \"it@example.com\", \"busy@example.com\"").await;
    send_due(&app, "mail").await;
    assert_eq!(sink.only()["rcpt_to"], json!(["it@example.com"]));
    assert_eq!(open(&mut app).await, 0);
}

#[tokio::test]
async fn refused_recipients_pause_unless_one_is_busy() {
    let (mut app, sink) = tripped("\"gone@example.com\"").await;
    send_due(&app, "mail").await;
    let (paused, error) = state(&mut app, "mail").await;
    let error = error.unwrap();
    assert!(
        paused.is_some() && error.contains("the recipients, `to` (code 550)"),
        "{error}"
    );
    assert!(sink.transfers().is_empty() && !error.contains("hush") && !error.contains("gone"));

    let (mut app, _sink) = tripped("\"gone@example.com\", \"busy@example.com\"").await;
    send_due(&app, "mail").await;
    let (paused, error) = state(&mut app, "mail").await;
    assert!(
        paused.is_none() && error.as_deref().unwrap().contains("code 451"),
        "{error:?}"
    );
}
