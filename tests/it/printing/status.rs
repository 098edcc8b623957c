//! Exit status of each command: 0 done, 1 findings, 2 used wrongly, 3 could not be done.

use std::time::Duration;

use super::{SECRETS, Story};
use crate::support::TestApp;
use crate::support::apis::{Answer, StandIn};
use crate::support::apis_setup::source_with_api;
use crate::support::process::run;

const NOWHERE: &str = "http://127.0.0.1:1";

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_source_is_an_error_that_lists_the_sources() {
    let story = Story::new().await;
    let none = ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none");
    for args in [
        &["deliveries"][..],
        &["employees"],
        &["end", "1", "--reason", "test", "--yes"],
        &["plan"],
        &["enforce"],
        &["shadow"],
        &["sync"],
        &["send", "-"],
        &["holds", "approve"],
        &["webhooks"],
        &["webhooks", "list"],
        &["webhooks", "create"],
        &["webhooks", "show", "1"],
        &["webhooks", "log", "1"],
        &["webhooks", "delete", "1"],
        &["webhooks", "fields"],
        &["webhooks", "gaps"],
    ] {
        let args = [args, &["--source", "hibob"]].concat();
        let output = story.app.run_with(&args, &[none]);
        assert_eq!(output.code, Some(2), "{args:?}: {output:?}");
        assert_eq!(output.out, "", "{args:?}");
        let listed = "source hibob is not configured; the sources are: bamboohr, merge";
        assert!(output.err.contains(listed), "{args:?}: {output:?}");
    }
    for args in [&["sync"][..], &["webhooks", "list"]] {
        let output = story.app.run(&[args, &["--source", "merge"]].concat());
        assert_eq!(output.code, Some(2), "{args:?}: {output:?}");
        assert!(output.err.contains("source merge has no API"), "{output:?}");
    }
    let output = run(&["deliveries", "--source", "hibob"], &[none]);
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(
        output.err.contains("no other is; add it to `[[sources]]`"),
        "{output:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_without_a_database_exit_3() {
    let story = Story::new().await;
    let none = ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none");
    for args in [
        &["check"][..],
        &["check", "--json"],
        &["migrate"],
        &["replay", "0199f2c4-7b1e-7c3d-9a55-2f1c8e6b4d10"],
        &["holds", "approve", "1"],
        &["holds", "reject", "1"],
        &["safeguard", "release", "1"],
        &["safeguard", "reject", "1"],
        &["end", "1", "--reason", "test", "--yes"],
        &["enforce", "--source", "merge"],
        &["shadow", "--source", "merge"],
        &["restores", "acknowledge", "1"],
        &["sync"],
        &["webhooks", "gaps"],
        &["webhooks", "delete", "1"],
    ] {
        let output = story.app.run_with(args, &[none]);
        assert_eq!(output.code, Some(3), "{args:?}: {output:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_does_not_answer_exits_3_and_one_that_refuses_1() {
    let refusing = StandIn::always(Answer::status(403)).await;
    let failing = StandIn::always(Answer::status(503).with("Retry-After", "0")).await;
    for (api, code) in [(Some(&refusing), 1), (Some(&failing), 1), (None, 3)] {
        let some = api.unwrap_or(&refusing);
        let mut text = source_with_api("bamboohr", "bamboohr", some);
        if api.is_none() {
            text = text.replace(&some.url, NOWHERE);
        }
        let app = TestApp::builder()
            .config_file(&text, &SECRETS)
            .build()
            .await;
        let synced = app.run(&["sync"]);
        assert_eq!(synced.code, Some(code), "{synced:?}");
        assert!(synced.out.contains("incomplete"), "{synced:?}");
        app.run(&["webhooks"]).failed(&["API"]);
        app.run(&["webhooks", "gaps"]).failed(&["API"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_does_not_answer_exits_3() {
    let app = TestApp::new().await;
    app.run(&["health", "--url", NOWHERE])
        .failed(&["no response"]);
    let body = app.file("body.json", "{}");
    let body = body.to_str().unwrap();
    let send = ["send", "--source", "merge", "--to", NOWHERE, body];
    app.run(&send).failed(&["no response"]);
    let slow = StandIn::always(Answer::status(500).after(Duration::from_millis(1))).await;
    let refused = app.run(&["send", "--source", "merge", "--to", &slow.url, body]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_change_something_exit_by_what_they_did() {
    let story = Story::new().await;
    for (args, code) in [
        (&["holds", "approve", "99"][..], 3),
        (&["holds", "reject", "99"], 3),
        (&["holds", "approve", "98", "99"], 1),
        (&["safeguard", "reject", "99"], 3),
        (
            &[
                "safeguard",
                "release",
                "1",
                "--confirm",
                "1111-2222-3333-4444",
            ],
            2,
        ),
        (
            &[
                "safeguard",
                "grant",
                "--tenant",
                "acme",
                "--count",
                "1",
                "--for",
                "1h",
                "--reason",
                "x",
            ],
            2,
        ),
        (&["restores", "acknowledge", "99"], 3),
        (&["undo", "--since", "2199-01-01"], 1),
        (
            &[
                "undo",
                "--since",
                "2026-01-01",
                "--confirm",
                "1111-2222-3333-4444",
            ],
            2,
        ),
        (&["end", "zoe@widgets.example", "--reason", "left"], 2),
        (
            &["end", "nobody@example.org", "--reason", "left", "--yes"],
            1,
        ),
        (
            &["end", "nobody@widgets.example", "--reason", "left", "--yes"],
            0,
        ),
        (&["replay", "0199f2c4-7b1e-7c3d-9a55-2f1c8e6b4d10"], 3),
        (&["explain", "nobody@example.org"], 1),
        (&["enforce", "--source", "merge"], 1),
        (&["shadow", "--source", "merge"], 0),
        (&["migrate"], 0),
        (&["sync"], 1),
        (&["drift", "--fix"], 1),
        (&["safeguard", "reject", "1"], 0),
        (&["safeguard"], 0),
    ] {
        let output = story.app.run(args);
        assert_eq!(output.code, Some(code), "{args:?}: {output:?}");
    }
}

#[test]
fn help_documents_the_exit_status() {
    let help = run(&["--help"], &[]).succeeded();
    for line in [
        "  0    done",
        "  1    findings",
        "  2    used wrongly",
        "  3    could not",
        "  141  the reader",
    ] {
        assert!(help.out.contains(line), "no {line:?} in {}", help.out);
    }
}
