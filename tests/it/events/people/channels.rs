//! Failures of Slack.

use chrono::TimeDelta;
use serde_json::json;

use super::slack_stub::Slack;
use super::*;
use crate::safeguard::{employ, report};

/// Returns an app with a trip, and the channel `team` as configured.
async fn tripped(destination: &str, more: &[(&str, &str)]) -> TestApp {
    let mut app = app_with(destination, more).await;
    employ(&mut app, 10).await;
    report(&mut app, 0..5, false).await;
    app
}

/// Returns the section of an incoming webhook.
fn incoming() -> &'static str {
    "[[destinations]]\nname = \"team\"\nkind = \"slack\"\nevents = [\"safeguard.*\"]\nurl = \"env:HOOK_URL\"\n"
}

#[tokio::test]
async fn a_rate_limit_is_waited_for() {
    let slack = Slack::start().await;
    let mut app = tripped(&channel(&slack.url, ""), &[]).await;
    let limited = json!({ "ok": false, "error": "ratelimited" }).to_string();
    slack.answers((429, Some("90"), limited));
    send_due(&app, "team").await;
    app.advance(TimeDelta::seconds(80));
    send_due(&app, "team").await;
    assert_eq!(slack.posted().len(), 1, "80 s later");
    app.advance(TimeDelta::seconds(40));
    send_due(&app, "team").await;
    assert_eq!(slack.posted().len(), 2);
    assert_eq!(slack.posted()[0].text(), slack.posted()[1].text());
    assert_eq!(open(&mut app).await, 0);
}

#[tokio::test]
async fn a_rejected_token_pauses_the_channel_at_once() {
    let slack = Slack::start().await;
    let mut app = tripped(&channel(&slack.url, ""), &[]).await;
    slack.refuses("invalid_auth");
    send_due(&app, "team").await;
    let (paused, error) = state(&mut app, "team").await;
    assert!(
        error
            .as_deref()
            .unwrap()
            .contains("(invalid_auth); set `token`"),
        "{error:?}"
    );
    assert_eq!(paused, error);
    app.advance(TimeDelta::minutes(5));
    send_due(&app, "team").await;
    assert_eq!(
        (state(&mut app, "team").await.0, open(&mut app).await),
        (None, 0)
    );
}

#[tokio::test]
async fn a_failure_of_slack_is_tried_again() {
    let slack = Slack::start().await;
    let mut app = tripped(&channel(&slack.url, ""), &[]).await;
    slack.refuses("hush <!channel> person1@example.com");
    slack.answers((200, None, "<html>hush</html>".to_owned()));
    slack.answers((502, None, "hush".to_owned()));
    let mut errors = vec![];
    for seconds in [0, 10, 90, 400] {
        app.advance(TimeDelta::seconds(seconds));
        send_due(&app, "team").await;
        let (paused, error) = state(&mut app, "team").await;
        assert_eq!(paused, None);
        errors.extend(error);
    }
    assert_eq!((slack.posted().len(), open(&mut app).await), (4, 0));
    let errors = errors.join("\n");
    assert!(
        errors.contains("not documented") && errors.contains("`api_url`") && errors.contains("502"),
        "{errors}"
    );
    assert_impersonal(&errors);
}

#[tokio::test]
async fn an_incoming_webhook_receives_the_message() {
    let slack = Slack::start().await;
    let url = format!("{}/{HOOK}", slack.url);
    let mut app = tripped(incoming(), &[("HOOK_URL", &url)]).await;
    send_due(&app, "team").await;
    let posted = slack.only();
    assert_eq!(
        (posted.path.as_str(), &posted.authorization),
        (format!("/{HOOK}").as_str(), &None)
    );
    assert!(
        posted.body.get("channel").is_none() && posted.text().starts_with("*The safeguard stopped")
    );
    assert_eq!(open(&mut app).await, 0);
}

#[tokio::test]
async fn a_removed_incoming_webhook_pauses_without_its_url() {
    let slack = Slack::start().await;
    let url = format!("{}/{HOOK}", slack.url);
    let mut app = tripped(incoming(), &[("HOOK_URL", &url)]).await;
    slack.answers((404, None, "no_service".to_owned()));
    send_due(&app, "team").await;
    let paused = state(&mut app, "team").await.0.unwrap();
    assert!(
        paused.contains("404") && !paused.contains("hush"),
        "{paused}"
    );
    slack.answers((200, None, "signed in as hush".to_owned()));
    app.advance(TimeDelta::minutes(5));
    send_due(&app, "team").await;
    let error = state(&mut app, "team").await.1.unwrap();
    assert!(
        error.contains("not the `ok` of an incoming webhook") && !error.contains("hush"),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_is_down_is_named_without_its_url() {
    let mut app = tripped(
        incoming(),
        &[("HOOK_URL", &format!("http://127.0.0.1:9/{HOOK}"))],
    )
    .await;
    send_due(&app, "team").await;
    let error = state(&mut app, "team").await.1.unwrap();
    assert!(
        error.contains("refused") && !error.contains("hush") && !error.contains("services"),
        "{error}"
    );
}
