//! Output of commands: tables for people, tab-separated lines for pipes, JSON for programs.
//!
//! HR systems and the application choose some of the texts. [`leaver_core::domain::printable`] escapes the characters of them
//! that would steer a terminal: per cell, in [`text`], and once more for each line. [`listing`] shows how a table is declared.

mod layout;
mod listing;
mod style;
mod table;
mod write;

use std::fmt::Display;
use std::io::Write;

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde::Serialize;

pub(crate) use listing::{Listing, TableColumns};
pub(crate) use style::{Color, ColorChoice, Style, configure};
pub(crate) use table::Table;
pub(crate) use write::{
    OutputError, defer_end, failed_write, field, indented, line, note, problem, remark,
    try_write_line, verbatim, write_line, write_remark, write_text,
};

use crate::connect::failure;
use leaver_core::domain::{printable, printable_json, printable_lines};

/// Returns true if stdout is a terminal, where tables are drawn.
pub(crate) fn is_terminal() -> bool {
    Style::of_process().width.is_some()
}

/// Returns true if `--quiet` was given.
pub(crate) fn is_quiet() -> bool {
    Style::of_process().is_quiet
}

/// Prints one JSON value on one line; ends the process if that fails.
pub(crate) fn json<T: Serialize>(value: &T) -> anyhow::Result<()> {
    verbatim(&json_text(value)?);
    Ok(())
}

/// Returns one JSON value on one line, escaped.
pub(crate) fn json_text<T: Serialize>(value: &T) -> anyhow::Result<String> {
    Ok(printable_json(&serde_json::to_string(value)?).into_owned())
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
