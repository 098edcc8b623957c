//! Every command that prints a table, in each form of output.

use std::fmt::Write;

use serde_json::Value;

use super::Story;
use super::redaction::redacted;
use crate::support::process::{CommandOutput, command};
use crate::support::terminal::run_on_terminal;

const NO_DATABASE: (&str, &str) = ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none");
/// The characters of a drawn table.
const BORDERS: [char; 4] = ['│', '┆', '═', '─'];

/// A command, its exit status, and whether it is read from the database.
struct Command {
    args: &'static [&'static str],
    code: i32,
    needs_database: bool,
}

const fn of(args: &'static [&'static str], code: i32) -> Command {
    Command {
        args,
        code,
        needs_database: true,
    }
}

const fn of_api(args: &'static [&'static str], code: i32) -> Command {
    Command {
        args,
        code,
        needs_database: false,
    }
}

/// Asserts what holds for the output of every command, and returns its forms for a snapshot.
fn forms(story: &Story, command: &Command) -> String {
    let (app, args) = (&story.app, command.args);
    let env = app.env(&[("NO_COLOR", "1")]);
    let mut shown = String::new();
    for width in [80, 200] {
        let output = run_on_terminal(args, &env, width);
        assert_eq!(output.code, Some(command.code), "{args:?}: {output:#?}");
        for line in output.out.lines().filter(|line| line.contains(BORDERS)) {
            assert!(line.chars().count() <= width.into(), "{args:?}: {line}");
        }
        let prose = output.out.lines().filter(|line| !line.contains('`'));
        for line in prose {
            assert!(line.chars().count() <= width.into(), "{args:?}: {line}");
        }
        assert!(!output.out.contains('\u{1b}'), "{output:#?}");
        writeln!(shown, "== terminal of {width} columns\n{}", output.out).unwrap();
    }
    let piped = app.run(args);
    assert_eq!(piped.code, Some(command.code), "{args:?}: {piped:#?}");
    assert_table(args, &piped);
    writeln!(shown, "== pipe\n{}\n== notes\n{}", piped.out, piped.err).unwrap();

    let json = app.run(&[args, &["--json"]].concat());
    assert_eq!(json.code, Some(command.code), "{args:?}: {json:#?}");
    let value: Value = serde_json::from_str(&json.out).unwrap();
    writeln!(shown, "== JSON\n{value:#}").unwrap();

    let ended = with_closed_pipe(args, &env);
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (Some(141), ""),
        "{args:?}"
    );
    assert!(!ended.err.contains("panicked"), "{args:?}: {ended:#?}");
    assert!(!ended.err.contains("cannot write"), "{args:?}: {ended:#?}");
    if command.needs_database {
        let output = app.run_with(args, &[NO_DATABASE]);
        assert_eq!(output.code, Some(3), "{args:?}: {output:#?}");
        assert_ne!((output.out, output.err), Default::default(), "{args:?}");
    }
    redacted(&shown)
}

/// Asserts that stdout is one tab-separated table with a header.
#[track_caller]
fn assert_table(args: &[&str], output: &CommandOutput) {
    let mut lines = output.out.lines();
    let header = lines.next().unwrap_or_default();
    let tabs = header.matches('\t').count();
    assert!(tabs > 0, "{args:?}: {output:#?}");
    for line in lines {
        assert_eq!(line.matches('\t').count(), tabs, "{args:?}: {output:#?}");
    }
    let drawn = output.out.contains(BORDERS) || output.out.contains('\u{1b}');
    assert!(!drawn, "{args:?}: {output:#?}");
}

fn with_closed_pipe(args: &[&str], env: &[(&str, &str)]) -> CommandOutput {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ended = command(args, env).stdout(writer).output().unwrap();
    CommandOutput {
        code: ended.status.code(),
        out: String::new(),
        err: String::from_utf8(ended.stderr).unwrap(),
    }
}

/// Runs the commands one after the other, and compares each with its snapshot.
fn assert_forms(story: &Story, commands: &[Command]) {
    for command in commands {
        let forms = forms(story, command);
        let name = command.args.join(" ").replace([' ', '/', ':', '@'], "_");
        insta::with_settings!({prepend_module_to_snapshot => false, description => command.args.join(" ")}, {
            insta::assert_snapshot!(name, forms);
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_fit_terminals_and_pipes() {
    let story = Story::new().await;
    assert_forms(
        &story,
        &[
            of(&["deliveries"], 0),
            of(&["employees"], 0),
            of(&["holds"], 0),
            of(&["safeguard"], 1),
            of(&["restores"], 0),
            of(&["plan"], 0),
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_fit_terminals_and_pipes() {
    let story = Story::new().await;
    assert_forms(
        &story,
        &[
            of(&["drift"], 1),
            of(&["undo", "--since", "2026-11-22"], 0),
            of(&["safeguard", "release", "1"], 0),
            of(&["holds", "approve", "--trip", "1"], 0),
        ],
    );
    // Others change the texts of these, so only what holds for each command is compared.
    for command in [of(&["explain", "1"], 0), of(&["check"], 0)] {
        forms(&story, &command);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_fit_terminals_and_pipes() {
    let story = Story::new().await;
    story.hooks.add("https://elsewhere.example/a/long/path/that/fills/a/line/of/a/narrow/terminal/completely?key=1");
    assert_forms(
        &story,
        &[
            of_api(&["webhooks"], 0),
            of_api(&["webhooks", "show", "1"], 0),
            of_api(&["webhooks", "fields"], 0),
            of_api(&["webhooks", "log", "1"], 0),
        ],
    );
    forms(&story, &of(&["webhooks", "gaps"], 1));
    forms(&story, &of(&["sync"], 1));
    assert!(!story.api.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn health_fits_terminals_and_pipes() {
    let story = Story::new().await;
    let service = story.app.serve(&[]);
    let args: &[&str] = &["health", "--url", &service.admin_url];
    let piped = story.app.run(args).succeeded();
    assert_table(args, &piped);
    assert!(piped.out.contains("\ndatabase\tok\t-\n"), "{piped:?}");
    let shown = run_on_terminal(args, &story.app.env(&[]), 80);
    assert!(shown.out.contains("database ok"), "{shown:?}");
    let ended = with_closed_pipe(args, &story.app.env(&[]));
    assert_eq!((ended.code, ended.err.as_str()), (Some(141), ""));
    service.stop();
}
