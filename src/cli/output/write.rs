//! Writes to stdout and stderr. A reader that left ends the process quietly; another failure is reported.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use leaver_core::domain::{printable, printable_lines};

use super::super::COULD_NOT_BE_DONE;
use super::layout;
use super::style::{Color, Style};

/// Exit status after the reader of stdout has left, as that of a program that SIGPIPE ended.
const READER_LEFT: u8 = 141;

/// True while a failed write must not end the process at once.
static IS_DEFERRED: AtomicBool = AtomicBool::new(false);
/// The exit status of the first failed write.
static FAILED: OnceLock<u8> = OnceLock::new();

/// A result that cannot be written to stdout.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot write the result; free space at its target or choose another one, then see whether the command took effect"
)]
pub(crate) struct OutputError(#[from] io::Error);

impl OutputError {
    /// Returns the exit status, after a message on stderr where the reader has not simply left.
    pub(crate) fn report(&self) -> u8 {
        if self.0.kind() == ErrorKind::BrokenPipe {
            return READER_LEFT;
        }
        problem(&format!("leaver: {self}: {}", self.0));
        COULD_NOT_BE_DONE
    }
}

/// Prints a line on stdout; ends the process if that fails.
macro_rules! line {
    () => {
        $crate::cli::output::write_line(format_args!(""))
    };
    ($($arg:tt)*) => {
        $crate::cli::output::write_line(format_args!($($arg)*))
    };
}
pub(crate) use line;

/// Prints a line about the result: on stdout on a terminal, otherwise on stderr, where it is a note. So a pipe gets nothing but
/// the table.
macro_rules! remark {
    ($($arg:tt)*) => {
        $crate::cli::output::write_remark(format_args!($($arg)*))
    };
}
pub(crate) use remark;

/// Prints a line on stdout, folded on a terminal; ends the process with its exit status if that fails.
pub(crate) fn write_line(text: Arguments<'_>) {
    let text = folded(&text.to_string(), Style::of_process().width);
    verbatim(&text);
}

/// Width of the name of a [`field`].
const NAME_WIDTH: usize = 16;
/// Width below which no text is folded further.
const LEAST_WIDTH: usize = 24;

/// Prints a name with its value on stdout. On a terminal, further lines of the value stand below its first.
pub(crate) fn field(name: &str, value: &str) {
    let name = format!("{name}:");
    let value = indented(NAME_WIDTH, value);
    verbatim(&format!("{name:<NAME_WIDTH$}{}", value.trim_start()));
}

/// Returns a text whose lines are indented, and folded on a terminal.
pub(crate) fn indented(by: usize, text: &str) -> String {
    let indent = " ".repeat(by);
    let lines = match Style::of_process().width {
        Some(width) => layout::folded(text, width.saturating_sub(by).max(LEAST_WIDTH)),
        None => vec![text.to_owned()],
    };
    let lines: Vec<String> = lines.iter().map(|line| format!("{indent}{line}")).collect();
    lines.join("\n")
}

/// Prints a line on stdout as it is, however long; ends the process if that fails.
pub(crate) fn verbatim(text: &str) {
    if let Err(error) = try_write_line(format_args!("{text}")) {
        end(&error);
    }
}

/// Folds the lines of a text at its spaces. Indented lines are commands to copy, and those of a drawn table fit.
fn folded(text: &str, width: Option<usize>) -> String {
    let Some(width) = width else {
        return text.to_owned();
    };
    let fold = |line: &str| match line.chars().next() {
        Some('┌' | '│' | '╞' | '└') => line.to_owned(),
        _ if line.starts_with("  ") => line.to_owned(),
        _ => layout::folded(line, width).join("\n"),
    };
    text.split('\n').map(fold).collect::<Vec<_>>().join("\n")
}

/// Prints a line on stdout, flushed.
///
/// # Errors
/// [`OutputError`] if the line was not written as a whole.
pub(crate) fn try_write_line(text: Arguments<'_>) -> Result<(), OutputError> {
    let line = format!("{}\n", printable_lines(&text.to_string()));
    write_escaped(&line)
}

/// Prints a table on stdout, whose cells are escaped; ends the process if that fails.
pub(super) fn write_table(text: &str) {
    if let Err(error) = write_escaped(&format!("{text}\n")) {
        end(&error);
    }
}

/// Prints text on stdout as it is; ends the process if that fails. For formats that have rules of their own.
pub(crate) fn write_text(text: &str) {
    if let Err(error) = write_escaped(text) {
        end(&error);
    }
}

/// Ends the process after a failed write. The results of the work are in the database, so nothing is lost.
fn end(error: &OutputError) {
    if !IS_DEFERRED.load(Ordering::Relaxed) {
        std::process::exit(error.report().into());
    }
    if FAILED.get().is_none() {
        // Only the first failure is reported.
        let _ = FAILED.set(error.report());
    }
}

/// Lets a command that owns other processes stop them first: a failed write ends nothing, and its exit status is that of
/// [`failed_write`].
pub(crate) fn defer_end() {
    IS_DEFERRED.store(true, Ordering::Relaxed);
}

/// Returns the exit status of a failed write, if there was one.
pub(crate) fn failed_write() -> Option<ExitCode> {
    FAILED.get().copied().map(ExitCode::from)
}

fn write_escaped(text: &str) -> Result<(), OutputError> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Prints a line of [`remark`].
pub(crate) fn write_remark(text: Arguments<'_>) {
    let style = Style::of_process();
    if style.width.is_some() {
        write_line(text);
    } else if !style.is_quiet {
        let text = text.to_string();
        write_error(&printable_lines(text.trim_start_matches('\n')));
    }
}

/// Prints a note for people on stderr, so that stdout holds nothing but the result. With `--quiet`, nothing is printed.
pub(crate) fn note(text: &str) {
    if !Style::of_process().is_quiet {
        write_error(&printable(text));
    }
}

/// Prints on stderr why a command did nothing, also with `--quiet`.
pub(crate) fn problem(text: &str) {
    let text = printable(text);
    match text.strip_prefix("leaver: ") {
        Some(rest) if Style::of_process().err_colors => {
            write_error(&format!("{} {rest}", Color::Red.paint("leaver:")));
        }
        _ => write_error(&text),
    }
}

/// Writes a line to stderr. Where nobody reads it, it is dropped: the exit status remains.
fn write_error(text: &str) {
    let text = folded(text, Style::of_process().err_width);
    let mut err = io::stderr().lock();
    let _ = err.write_all(format!("{text}\n").as_bytes());
}
