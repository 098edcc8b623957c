//! `leaver events` and its commands, in each form of output.

use super::forms::{Case, Form, assert_needs_database, assert_snapshot, sentences, table};
use super::redaction::redacted_text;
use crate::support::driving::terminated;
use crate::support::event_receiver::{RECEIVER_KEYS, webhook};
use crate::support::{BAMBOOHR_KEY, TestApp};

/// They read and change the outbox.
pub(super) const OUTBOX: [Case; 5] = [
    table(&["events"], 0),
    table(&["events", "retry", "EVENT"], 0),
    sentences(&["events", "resume", "bus"], 0),
    sentences(
        &[
            "events",
            "recover",
            "--destination",
            "bus",
            "--since",
            "2026-01-01",
        ],
        0,
    ),
    sentences(&["events", "resume", "it"], 2),
];

#[tokio::test(flavor = "multi_thread")]
async fn events_fit_terminals_and_pipes() {
    let mut app = TestApp::builder()
        .config_file(
            &webhook("bus", "https://bus.example.com/leaver", "*"),
            &[("BAMBOOHR_WEBHOOK_SECRET", BAMBOOHR_KEY), RECEIVER_KEYS[0]],
        )
        .build()
        .await;
    app.add_employees_users(1..=3).await;
    for n in ["1", "2", "3"] {
        let email = format!("dana.{n}@widgets.example");
        app.bamboohr(&[terminated(n, &email, "2026-11-20T09:00:00Z")])
            .await;
    }
    app.sql(
        "UPDATE leaver.outbox_attempts SET state = 'dead', attempts = 11, finished_at = now(), last_status = 500, last_error = 'status 500'
         WHERE event_id = (SELECT id FROM leaver.outbox WHERE type = 'account.deactivated' ORDER BY id LIMIT 1)",
    )
    .await;
    let dead = "SELECT event_id::text FROM leaver.outbox_attempts WHERE state = 'dead'";
    let id = app.text(dead).await.unwrap();
    let env = app.env(&[]);
    for case in &OUTBOX {
        let words = case.args.iter();
        let args: Vec<&str> = words
            .map(|word| if *word == "EVENT" { id.as_str() } else { word })
            .collect();
        let shown = Form::ALL.map(|form| case.shown(&args, &env, form));
        if case.code == 0 {
            assert_needs_database(&args, &env);
        }
        assert_snapshot(case.args, &redacted_text(&shown.concat()));
    }
}
