//! Commands that change no account, in each form of output.

use super::Story;
use super::forms::{Case, Form, assert_needs_database, assert_snapshot, sentences, table};
use super::redaction::{redacted, without_varying_checks};

/// They read the database.
pub(super) const READS: [Case; 13] = [
    table(&["deliveries"], 0),
    table(&["employees"], 0),
    table(&["holds"], 0),
    table(&["safeguard"], 1),
    table(&["plan"], 0),
    table(&["check"], 0),
    table(&["explain", "1"], 0),
    table(&["explain", "dana.2@widgets.example"], 0),
    table(&["drift"], 1),
    table(&["undo", "--since", "2026-11-22"], 0),
    table(&["safeguard", "release", "1"], 0),
    table(&["holds", "approve", "--trip", "1"], 0),
    table(
        &["leavers", "--from", "2026-11-01", "--to", "2199-01-31"],
        1,
    ),
];

/// They read the API of the HR system.
pub(super) const READS_OF_API: [Case; 4] = [
    table(&["webhooks"], 0),
    table(&["webhooks", "show", "1"], 0),
    table(&["webhooks", "fields"], 0),
    table(&["webhooks", "log", "1"], 0),
];

/// They list the sources, so this is an error of use.
const UNKNOWN_SOURCE: [Case; 2] = [
    sentences(&["plan", "--source", "hibob"], 2),
    sentences(&["sync", "--source", "hibob"], 2),
];

/// Runs the commands in each form, and compares each with its snapshot.
fn assert_forms(story: &Story, cases: &[Case], needs_database: bool) {
    let env = story.app.env(&[]);
    for case in cases {
        let shown = Form::ALL.map(|form| case.shown(case.args, &env, form));
        if needs_database {
            assert_needs_database(case.args, &env);
        }
        let mut shown = shown.concat();
        if case.args == ["check"] {
            shown = without_varying_checks(&shown);
        }
        assert_snapshot(case.args, &redacted(story, &shown));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_fit_terminals_and_pipes() {
    let story = Story::new().await;
    assert_forms(&story, &READS, true);
    assert_forms(&story, &UNKNOWN_SOURCE, false);
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_fit_terminals_and_pipes() {
    let story = Story::new().await;
    story.hooks.add("https://elsewhere.example/a/long/path/that/fills/a/line/of/a/narrow/terminal/completely?key=1");
    assert_forms(&story, &READS_OF_API, false);
    assert!(!story.api.requests().is_empty());
}
