//! Commands that call a running service, in each form of output.

use super::Story;
use super::forms::{Case, Form, assert_snapshot, sentences, table};
use super::redaction::redacted;
use crate::support::driving::terminated;
use crate::support::employees;

/// They call the service.
pub(super) const CALLS: [Case; 2] = [
    table(&["health", "--url", "SERVICE"], 0),
    sentences(
        &["send", "--source", "bamboohr", "--to", "SERVICE", "BODY"],
        0,
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_the_service_fit_terminals_and_pipes() {
    let mut story = Story::new().await;
    // What the service does by itself is done before, so that health does not change meanwhile.
    story.app.run(&["sync"]);
    story
        .app
        .sql("INSERT INTO leaver.drift (checked_at, terminated_with_access, fixed) VALUES (now(), 3, 0)")
        .await;
    let service = story.app.serve(&[]);
    let checked = "SELECT count(*) FROM leaver.source_status WHERE webhooks_checked_at IS NOT NULL";
    story.app.wait_for_count(1, checked).await;
    let left = terminated("1", "dana.1@widgets.example", "2026-11-20T09:00:00Z");
    let body = employees(&[left]).to_string();
    let body = story.app.file("body.json", &body);
    let env = story.app.env(&[]);
    for case in CALLS {
        let url = match case.args {
            ["health", ..] => &service.admin_url,
            _ => &service.url,
        };
        let words = case.args.iter().map(|word| match *word {
            "SERVICE" => url.as_str(),
            "BODY" => body.to_str().unwrap(),
            other => other,
        });
        let args: Vec<&str> = words.collect();
        let shown = Form::ALL.map(|form| case.shown(&args, &env, form));
        let shown = shown.concat();
        assert_snapshot(&case.args[..1], &redacted(&story, &shown));
    }
    service.stop();
}
