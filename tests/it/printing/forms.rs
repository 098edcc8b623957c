//! The forms of a command's output, and what holds for each of them.

use serde_json::Value;

use crate::support::process::{CommandOutput, command, run};
use crate::support::terminal::run_on_terminal;

pub(super) const NO_DATABASE: (&str, &str) = ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none");
/// The characters of a drawn table.
const BORDERS: [char; 4] = ['│', '┆', '═', '─'];

/// Where the output of a command goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Terminal(u16),
    Pipe,
    Json,
    /// A pipe whose reader has left.
    Closed,
}

impl Form {
    pub(super) const ALL: [Self; 5] = [
        Self::Terminal(80),
        Self::Terminal(200),
        Self::Pipe,
        Self::Json,
        Self::Closed,
    ];
}

/// A command and its exit status.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) args: &'static [&'static str],
    pub(super) code: i32,
    /// True if it prints one table, so that a pipe gets one.
    pub(super) has_table: bool,
}

/// Returns a command that prints a table.
pub(super) const fn table(args: &'static [&'static str], code: i32) -> Case {
    Case {
        args,
        code,
        has_table: true,
    }
}

/// Returns a command that prints sentences.
pub(super) const fn sentences(args: &'static [&'static str], code: i32) -> Case {
    Case {
        args,
        code,
        has_table: false,
    }
}

impl Case {
    /// Runs the command in one form, with these arguments in place of its own. Asserts what holds for every command, and
    /// returns what is shown.
    #[track_caller]
    pub(super) fn shown(&self, args: &[&str], env: &[(&str, &str)], form: Form) -> String {
        let mut env = env.to_vec();
        env.push(("NO_COLOR", "1"));
        match form {
            Form::Terminal(width) => {
                let output = run_on_terminal(args, &env, width);
                assert_eq!(output.code, Some(self.code), "{args:?}: {output:#?}");
                assert_width(args, &output.out, width);
                format!("== terminal of {width} columns\n{}\n", output.out)
            }
            Form::Pipe => {
                let output = run(args, &env);
                assert_eq!(output.code, Some(self.code), "{args:?}: {output:#?}");
                if self.has_table {
                    assert_table(args, &output);
                }
                let drawn = output.out.contains(BORDERS) || output.out.contains('\u{1b}');
                assert!(!drawn, "{args:?}: {output:#?}");
                let (out, err) = (output.out, output.err);
                format!("== pipe\n{out}\n== notes\n{err}\n")
            }
            Form::Json => {
                let output = run(&[args, &["--json"]].concat(), &env);
                assert_eq!(output.code, Some(self.code), "{args:?}: {output:#?}");
                if output.out.is_empty() {
                    return format!("== JSON\n\n== notes\n{}\n", output.err);
                }
                let value: Value = serde_json::from_str(&output.out)
                    .unwrap_or_else(|error| panic!("{args:?}: {error}: {output:#?}"));
                format!("== JSON\n{value:#}\n")
            }
            Form::Closed => {
                let ended = with_closed_pipe(args, &env);
                let may_be = [Some(141), Some(self.code)];
                assert!(may_be.contains(&ended.code), "{args:?}: {ended:#?}");
                let writes = self.has_table && self.code < 2;
                assert!(!writes || ended.code == Some(141), "{args:?}: {ended:#?}");
                assert!(!ended.err.contains("panicked"), "{args:?}: {ended:#?}");
                assert!(!ended.err.contains("cannot write"), "{args:?}: {ended:#?}");
                String::new()
            }
        }
    }
}

/// Asserts that a command fails without a database, with exit status 3.
#[track_caller]
pub(super) fn assert_needs_database(args: &[&str], env: &[(&str, &str)]) {
    let mut env = env.to_vec();
    env.retain(|(name, _)| *name != NO_DATABASE.0);
    env.push(NO_DATABASE);
    let output = run(args, &env);
    assert_eq!(output.code, Some(3), "{args:?}: {output:#?}");
    assert_ne!((output.out, output.err), Default::default(), "{args:?}");
}

/// Asserts that no line is wider than the terminal. A command to be copied stays whole: in backticks, or indented. So does the
/// body of a response.
#[track_caller]
fn assert_width(args: &[&str], out: &str, width: u16) {
    let lines = out.lines();
    let is_command =
        |line: &str| line.contains('`') || line.starts_with("    ") || line.starts_with('{');
    for line in lines.filter(|line| line.contains(BORDERS) || !is_command(line)) {
        assert!(line.chars().count() <= width.into(), "{args:?}: {line}");
    }
    assert!(!out.contains('\u{1b}'), "{args:?}: {out:#?}");
}

/// Asserts that stdout is one tab-separated table with a header.
#[track_caller]
pub(super) fn assert_table(args: &[&str], output: &CommandOutput) {
    let mut lines = output.out.lines();
    let header = lines.next().unwrap_or_default();
    let tabs = header.matches('\t').count();
    assert!(tabs > 0, "{args:?}: {output:#?}");
    for line in lines {
        assert_eq!(line.matches('\t').count(), tabs, "{args:?}: {output:#?}");
    }
}

pub(super) fn with_closed_pipe(args: &[&str], env: &[(&str, &str)]) -> CommandOutput {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ended = command(args, env).stdout(writer).output().unwrap();
    CommandOutput {
        code: ended.status.code(),
        out: String::new(),
        err: String::from_utf8(ended.stderr).unwrap(),
    }
}

/// Compares what a command shows with its snapshot.
#[track_caller]
pub(super) fn assert_snapshot(args: &[&str], shown: &str) {
    let name = args.join(" ").replace([' ', '/', ':', '@'], "_");
    insta::with_settings!({prepend_module_to_snapshot => false, description => args.join(" ")}, {
        insta::assert_snapshot!(name, shown);
    });
}
