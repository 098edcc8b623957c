//! Output of commands: tables for people, tab-separated lines for pipes, JSON for programs.
//!
//! HR systems and the application choose some of the texts. [`leaver_core::domain::printable`] escapes the characters of them
//! that would steer a terminal: per cell, in [`text`], and once more for each line.

use std::fmt::{Arguments, Display, Formatter, Result};
use std::io::{IsTerminal, Write};

use anyhow::Context;
use chrono::{DateTime, Utc};
use comfy_table::{ColumnConstraint, ContentArrangement, presets};
use serde::Serialize;

use super::COULD_NOT_BE_DONE;
use super::narrow::narrowed;
use crate::connect::failure;
use leaver_core::domain::{printable, printable_json, printable_lines};

/// Width of a drawn table when stdout is no terminal, in columns.
const WIDTH_WITHOUT_TERMINAL: u16 = 120;

/// A table: drawn on a terminal, otherwise one tab-separated line per row.
#[derive(Debug)]
pub(crate) struct Table {
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
    wraps: bool,
    keeps_columns: bool,
    is_drawn: bool,
}

/// The text of a cell, escaped.
#[derive(Debug)]
pub(crate) struct Cell(String);

impl Cell {
    /// Makes a cell of several lines.
    pub(crate) fn lines<T: AsRef<str>>(lines: impl IntoIterator<Item = T>) -> Self {
        let lines = lines.into_iter().map(|line| text(line.as_ref()));
        Self(lines.collect::<Vec<String>>().join("\n"))
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::lines([text])
    }
}

impl Table {
    /// Makes an empty table that wraps long cells. On a narrow terminal, values that all rows share are shown above it.
    pub(crate) fn new(headings: &[&str]) -> Self {
        Self {
            headings: headings.iter().map(|&heading| heading.to_owned()).collect(),
            rows: vec![],
            wraps: true,
            keeps_columns: false,
            is_drawn: std::io::stdout().is_terminal(),
        }
    }

    /// Makes an empty table that shows each column at any width.
    pub(crate) fn with_all_columns(headings: &[&str]) -> Self {
        Self {
            keeps_columns: true,
            ..Self::new(headings)
        }
    }

    /// Makes an empty table with one line per row, however long, so that statements in it can be copied.
    pub(crate) fn without_wrapping(headings: &[&str]) -> Self {
        Self {
            wraps: false,
            ..Self::new(headings)
        }
    }

    /// Adds a row.
    pub(crate) fn add_row<C: Into<Cell>>(&mut self, cells: impl IntoIterator<Item = C>) {
        let cells = cells.into_iter().map(|cell| cell.into().0);
        self.rows.push(cells.collect());
    }

    fn drawn(&self) -> comfy_table::Table {
        if self.wraps {
            drawn_rows(&self.headings, &self.rows)
        } else {
            let mut table = comfy_table::Table::new();
            table
                .load_style(presets::NOTHING)
                .set_content_arrangement(ContentArrangement::Disabled)
                .add_rows(&self.rows);
            for column in table.column_iter_mut() {
                column.set_padding((0, 2));
            }
            table
        }
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if self.is_drawn {
            let drawn = self.drawn();
            let width = drawn.width().map_or(usize::MAX, usize::from);
            let narrow = narrowed(&self.headings, &self.rows, width);
            return match narrow.filter(|_| self.wraps && !self.keeps_columns) {
                None => f.write_str(&drawn.trim_fmt()),
                Some(narrow) => {
                    let drawn = drawn_rows(&narrow.headings, &narrow.rows);
                    let break_after = if narrow.shared.is_empty() { "" } else { "\n" };
                    write!(f, "{}{break_after}{}", narrow.shared, drawn.trim_fmt())
                }
            };
        }
        let lines: Vec<String> = std::iter::once(&self.headings)
            .chain(&self.rows)
            .map(|cells| separated(cells))
            .collect();
        f.write_str(&lines.join("\n"))
    }
}

fn drawn_rows(headings: &[String], rows: &[Vec<String>]) -> comfy_table::Table {
    let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
    let mut table = drawn(&headings);
    table.add_rows(rows);
    table
}

/// Joins cells with tabs; a line break inside a cell becomes a space.
fn separated(cells: &[String]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('\n', " ")).collect();
    cells.join("\t")
}

/// Makes an empty drawn table, also where stdout is no terminal.
pub(crate) fn drawn(headings: &[&str]) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(headings.iter().copied());
    if !table.is_tty() {
        table.set_width(WIDTH_WITHOUT_TERMINAL);
    }
    // The first column identifies the row and is there to be copied.
    if let Some(column) = table.column_mut(0) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    table
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

/// Prints a line on stdout; ends the process with exit code 3 if that fails.
pub(crate) fn write_line(text: Arguments<'_>) {
    // A closed pipe, as in `leaver deliveries | head -1`, is no bug, and `println!` would panic.
    let text = text.to_string();
    if writeln!(std::io::stdout(), "{}", printable_lines(&text)).is_err() {
        std::process::exit(COULD_NOT_BE_DONE);
    }
}

/// Prints one JSON value on one line.
pub(crate) fn json<T: Serialize>(value: &T) -> anyhow::Result<()> {
    line!("{}", printable_json(&serde_json::to_string(value)?));
    Ok(())
}

/// Prints a remark of one line for people on stderr, so that stdout holds nothing but the result.
#[expect(clippy::print_stderr, reason = "stdout is for the result")]
pub(crate) fn note(text: &str) {
    eprintln!("{}", printable(text));
}

/// Asks on stderr and reads the answer from stdin. Anything but yes counts as no.
pub(crate) fn ask(question: &str) -> anyhow::Result<bool> {
    let mut err = std::io::stderr();
    write!(err, "{} [y/N] ", printable_lines(question)).context("cannot ask")?;
    err.flush().context("cannot ask")?;
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .context("cannot read the answer")?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Returns a value as text on one line, escaped.
pub(crate) fn text(value: impl Display) -> String {
    printable(&value.to_string()).into_owned()
}

/// Returns an error with its causes on one line, escaped.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    text(crate::db::error::error_chain(error.as_ref()))
}

/// Returns the cause of a failed request in words. The HTTP library's own texts name parts of it.
pub(crate) fn request_error(error: reqwest::Error) -> anyhow::Error {
    let error = error.without_url();
    if error.is_decode() {
        return anyhow::anyhow!("the response is not JSON");
    }
    anyhow::anyhow!(failure::cause(&error))
}

/// Returns a time to the second, in UTC.
pub(crate) fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// Returns a time to the second in UTC, or a dash.
pub(crate) fn time_or_dash(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| "-".to_owned(), time)
}

/// Returns the text, or a dash if there is none or it is empty.
pub(crate) fn or_dash(text: Option<impl Into<String>>) -> String {
    let text = text.map(Into::into);
    text.filter(|text| !text.is_empty())
        .unwrap_or_else(|| "-".to_owned())
}

/// Returns `yes` or `no`.
pub(crate) fn yes_or_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

/// Returns a number with its noun, such as `2 keys`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    let stem = noun.strip_suffix('y');
    // Not `key`.
    match stem.filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u'])) {
        _ if number == 1 => format!("{number} {noun}"),
        Some(stem) => format!("{number} {stem}ies"),
        None => format!("{number} {noun}s"),
    }
}

/// Returns counts by outcome as text, such as `2 deactivated, 1 kept`.
pub(crate) fn outcomes<'a, N: Display>(counts: impl IntoIterator<Item = (&'a str, N)>) -> String {
    let counts: Vec<String> = counts
        .into_iter()
        .map(|(outcome, count)| format!("{count} {}", outcome.replace('_', " ")))
        .collect();
    counts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(is_drawn: bool) -> String {
        let mut table = Table {
            is_drawn,
            ..Table::new(&["hold", "employee"])
        };
        table.add_row(["12", "40217\ndana\t@example.com\u{1b}[2J\u{202e}"]);
        table.to_string()
    }

    #[test]
    fn a_pipe_gets_one_tab_separated_line_per_row() {
        assert_eq!(
            table(false),
            "hold\temployee\n12\t40217\\ndana\\t@example.com\\u{1b}[2J\\u{202e}"
        );
    }

    #[test]
    fn a_terminal_gets_a_drawn_table() {
        let text = table(true);
        assert!(text.contains('│') && text.contains("40217"), "{text}");
    }
}
