//! Commands that change something, in each form of output: one after the other, in a copy of the database for each form.

use super::forms::{Case, Form, assert_needs_database, assert_snapshot, sentences, table};
use super::redaction::redacted;
use super::{HERE, Story};
use crate::support::database::copied;
use crate::support::process::run;

/// What an operator does after a trip whose people left.
pub(super) const AFTER_A_TRIP: [Case; 19] = [
    sentences(&["migrate"], 0),
    table(&["replay", "DELIVERY"], 1),
    sentences(&["holds", "approve", "1", "--as", "ada"], 0),
    sentences(&["holds", "reject", "2", "--as", "ada"], 0),
    sentences(&["holds", "approve", "98", "99", "--as", "ada"], 1),
    table(
        &[
            "safeguard",
            "release",
            "1",
            "--as",
            "ada",
            "--confirm",
            "DIGEST",
        ],
        0,
    ),
    sentences(
        &[
            "safeguard",
            "grant",
            "--tenant",
            "default",
            "--count",
            "3",
            "--for",
            "1h",
            "--reason",
            "ticket 4711",
            "--as",
            "ada",
        ],
        0,
    ),
    table(&["end", "4", "--reason", "left today", "--as", "ada"], 2),
    sentences(
        &[
            "end",
            "nobody@widgets.example",
            "--reason",
            "left today",
            "--as",
            "ada",
            "--yes",
        ],
        0,
    ),
    sentences(&["end", "nobody@example.org", "--reason", "left today"], 1),
    table(
        &[
            "undo",
            "--since",
            "2026-11-22",
            "--as",
            "ada",
            "--confirm",
            "DIGEST",
        ],
        0,
    ),
    table(&["restores"], 1),
    sentences(&["restores", "acknowledge", "1", "--as", "ada"], 0),
    sentences(&["shadow", "--source", "bamboohr", "--as", "ada"], 0),
    table(&["enforce", "--source", "bamboohr", "--as", "ada"], 0),
    table(&["enforce", "--source", "merge", "--as", "ada"], 1),
    table(
        &[
            "enforce",
            "--source",
            "merge",
            "--backlog",
            "release",
            "--as",
            "ada",
        ],
        0,
    ),
    table(&["drift", "--fix"], 1),
    // Entries by a person have the name of the machine.
    table(
        &[
            "audit",
            "--from",
            "2026-11-01",
            "--to",
            "2199-01-31",
            "--action",
            "hold_opened",
        ],
        1,
    ),
];

/// What an operator does after a trip of a wrong feed, and about the API.
pub(super) const AFTER_A_WRONG_FEED: [Case; 8] = [
    sentences(&["holds", "approve", "1", "2", "--as", "ada"], 0),
    sentences(&["safeguard", "reject", "1", "--as", "ada"], 0),
    table(
        &[
            "enforce",
            "--source",
            "merge",
            "--backlog",
            "accept",
            "--as",
            "ada",
        ],
        0,
    ),
    sentences(&["webhooks", "create", "--url", HERE], 0),
    sentences(&["webhooks", "delete", "2"], 0),
    table(&["webhooks", "gaps"], 1),
    table(&["sync"], 0),
    table(&["backtest", "--against", "CONFIG"], 0),
];

/// A reader that leaves gets no webhook: its own tests are in `pipes`.
const WITH_A_KEY: [&str; 2] = ["create", "delete"];

/// Replaces words that are known only now.
fn resolved(case: &Case, env: &[(&str, &str)]) -> Vec<String> {
    let json = |args: &[&str]| run(&[args, &["--json"]].concat(), env).json();
    let words = case.args.iter().map(|word| match *word {
        "DELIVERY" => {
            let failed = json(&["deliveries", "--state", "failed"]);
            failed[0]["id"].as_str().unwrap().to_owned()
        }
        "DIGEST" => {
            let list = json(&case.args[..case.args.len() - 2]);
            let digest = list["digest"].as_str();
            digest.unwrap_or_else(|| panic!("{list}")).to_owned()
        }
        "CONFIG" => {
            let file = env.iter().find(|(name, _)| *name == "LEAVER_CONFIG");
            file.unwrap().1.to_owned()
        }
        other => other.to_owned(),
    });
    words.collect()
}

async fn assert_forms(cases: &[Case]) {
    let mut story = Story::new().await;
    story
        .app
        .sql("INSERT INTO leaver.restores (found_at, known_until, cause) VALUES (now(), now() - interval '1 day', 'rows_missing')")
        .await;
    let mut shown = vec![String::new(); cases.len()];
    for form in Form::ALL {
        let (url, _database) = copied(&story.app.options).await;
        let env = story.app.env(&[("DATABASE_URL", &url)]);
        for (case, shown) in cases.iter().zip(&mut shown) {
            let args = resolved(case, &env);
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let has_key = args.get(1).is_some_and(|word| WITH_A_KEY.contains(word));
            if has_key && form == Form::Closed {
                continue;
            }
            shown.push_str(&case.shown(&args, &env, form));
            if form == Form::Pipe && !has_key {
                assert_needs_database(&args, &env);
            }
        }
    }
    for (case, shown) in cases.iter().zip(shown) {
        assert_snapshot(case.args, &redacted(&story, &shown));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_after_a_trip_fit_terminals_and_pipes() {
    assert_forms(&AFTER_A_TRIP).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_after_a_wrong_feed_fit_terminals_and_pipes() {
    assert_forms(&AFTER_A_WRONG_FEED).await;
}
