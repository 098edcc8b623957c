//! Commands about the configuration, in each form of output.

use super::Story;
use super::forms::{Case, Form, assert_snapshot, sentences, table};
use super::redaction::{redacted, redacted_text};
use crate::support::TestApp;
use crate::support::process::run;

/// They read the configuration alone.
pub(super) const READS: [Case; 2] = [
    table(&["config", "show", "--changed"], 0),
    table(&["config", "env", "--set"], 0),
];

/// It writes files.
pub(super) const INIT: Case = sentences(
    &[
        "init",
        "--yes",
        "--timezone",
        "Europe/Berlin",
        "--output",
        "FILE",
    ],
    0,
);

#[tokio::test(flavor = "multi_thread")]
async fn settings_fit_terminals_and_pipes() {
    let story = Story::new().await;
    // Tests of another version of Postgres set it.
    let env = story.app.env(&[("PG_BINDIR", "/usr/lib/postgresql")]);
    for case in READS {
        let shown = Form::ALL.map(|form| case.shown(case.args, &env, form));
        assert_snapshot(case.args, &redacted(&story, &shown.concat()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_configuration_fits_terminals_and_pipes() {
    let app = TestApp::new().await;
    let env = [("DATABASE_URL", app.url.as_str())];
    let mut shown = String::new();
    for (number, form) in (1..).zip(Form::ALL) {
        let folder = app.file(&number.to_string(), "");
        std::fs::remove_file(&folder).unwrap();
        std::fs::create_dir(&folder).unwrap();
        let file = folder.join("leaver.toml").display().to_string();
        let mut args = INIT.args.to_vec();
        *args.last_mut().unwrap() = &file;
        let text = INIT.shown(&args, &env, form);
        shown.push_str(&text.replace(folder.to_str().unwrap(), "/etc/leaver"));
    }
    assert_snapshot(&["init"], &redacted_text(&shown));
}

#[test]
fn documents_of_the_configuration_are_the_same_in_each_form() {
    for name in ["defaults", "schema"] {
        let piped = run(&["config", name], &[]).succeeded();
        assert_eq!(piped.err, "", "{name}");
        let case = sentences(&["config"], 0);
        for width in [80, 200] {
            let shown = crate::support::terminal::run_on_terminal(&["config", name], &[], width);
            assert_eq!((shown.code, shown.out), (Some(0), piped.out.clone()));
        }
        case.shown(&["config", name], &[], Form::Closed);
    }
}
