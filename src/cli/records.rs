//! Output of reports of any length: a table, CSV or JSON, row by row.

use std::io::{ErrorKind, IsTerminal, Write};

use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;

use super::output;
use super::{COULD_NOT_BE_DONE, Config};
use crate::config::Settings;
use crate::reports::completeness::Missing;
use crate::reports::period::{Bound, Period};
use chrono::SecondsFormat;
use chrono_tz::Tz;
use leaver_core::domain::printable_json;

/// Rows of one drawn table. A longer report is drawn as several.
const DRAWN_ROWS: usize = 500;

/// The period of a report.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct PeriodArguments {
    /// First day, or the first instant
    #[arg(long, value_name = "DAY|TIME", value_parser = Bound::parse)]
    from: Bound,
    /// Last day, which is part of the period, or the first instant after it
    #[arg(long, value_name = "DAY|TIME", value_parser = Bound::parse)]
    to: Bound,
    /// Time zone of days; default: that of the sources, UTC if they differ
    #[arg(long, value_name = "NAME")]
    timezone: Option<Tz>,
    /// Form of the result
    #[arg(long, value_enum, default_value_t = RecordFormat::Table, conflicts_with = "json")]
    format: RecordFormat,
    /// The same as `--format json`
    #[arg(long)]
    json: bool,
}

/// Form of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum RecordFormat {
    /// Drawn on a terminal, tab-separated otherwise
    Table,
    /// RFC 4180
    Csv,
    /// One object
    Json,
}

impl PeriodArguments {
    /// Returns the form of the result.
    pub(super) fn format(&self) -> RecordFormat {
        if self.json {
            RecordFormat::Json
        } else {
            self.format
        }
    }

    /// Resolves the period. `None` if no instant is in it.
    pub(super) fn resolve(&self, settings: &Settings) -> Option<Period> {
        let mut zones = settings.sources.iter().map(|it| it.policy.timezone);
        let first = zones.next().unwrap_or(Tz::UTC);
        let common = if zones.all(|zone| zone == first) {
            first
        } else {
            Tz::UTC
        };
        let period = Period::resolve(self.from, self.to, self.timezone.unwrap_or(common));
        (!period.is_empty()).then_some(period)
    }
}

/// Returns the filter for the audit log.
pub(super) fn describe(period: &Period) -> String {
    let text = |at: chrono::DateTime<chrono::Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    format!("--from {} --to {}", text(period.from), text(period.to))
}

/// Writes rows in one of the forms. Memory does not depend on their number.
pub(super) struct RecordWriter {
    format: RecordFormat,
    headings: &'static [&'static str],
    drawn: Vec<Vec<String>>,
    is_terminal: bool,
    rows: u64,
}

impl RecordWriter {
    /// Writes the beginning.
    pub(super) fn begin(
        format: RecordFormat,
        period: &Period,
        headings: &'static [&'static str],
    ) -> anyhow::Result<Self> {
        let writer = Self {
            format,
            headings,
            drawn: vec![],
            is_terminal: std::io::stdout().is_terminal(),
            rows: 0,
        };
        match format {
            RecordFormat::Json => {
                let head = serde_json::to_string(period)?;
                let head = head.strip_suffix('}').unwrap_or(&head);
                write(&format!("{head},\"rows\":["));
            }
            RecordFormat::Csv => write(&csv(headings.iter().copied())),
            RecordFormat::Table if !writer.is_terminal => {
                write(&format!("{}\n", headings.join("\t")));
            }
            RecordFormat::Table => {}
        }
        if format != RecordFormat::Json {
            output::note(&format!(
                "period: {} ({})",
                describe(period),
                period.timezone
            ));
        }
        Ok(writer)
    }

    /// Writes a row. The members of `record` are the columns, in the order of the headings.
    pub(super) fn row<T: Serialize>(&mut self, record: &T) -> anyhow::Result<()> {
        self.rows += 1;
        if self.format == RecordFormat::Json {
            let separator = if self.rows == 1 { "\n" } else { ",\n" };
            let text = serde_json::to_string(record)?;
            write(&format!("{separator}{}", printable_json(&text)));
            return Ok(());
        }
        let value = serde_json::to_value(record)?;
        let cells: Vec<String> = self
            .headings
            .iter()
            .map(|name| cell(&value, name))
            .collect();
        match self.format {
            RecordFormat::Csv => write(&csv(cells.iter().map(String::as_str))),
            _ if self.is_terminal => {
                self.drawn.push(cells);
                if self.drawn.len() >= DRAWN_ROWS {
                    self.draw();
                }
            }
            _ => write(&format!("{}\n", cells.join("\t"))),
        }
        Ok(())
    }

    /// Writes the end: what is missing, and numbers.
    pub(super) fn end<T: Serialize>(
        mut self,
        missing: &[Missing],
        counts: &T,
    ) -> anyhow::Result<()> {
        self.draw();
        if self.format == RecordFormat::Json {
            let missing = serde_json::to_string(missing)?;
            let counts = serde_json::to_string(counts)?;
            write(&format!(
                "\n],\"missing\":{},\"counts\":{counts}}}\n",
                printable_json(&missing)
            ));
        } else if self.rows == 0 {
            output::note("nothing in this period");
        }
        if missing.is_empty() {
            output::note("complete");
        }
        for missing in missing {
            output::note(&format!("incomplete: {}", missing.text));
        }
        flush();
        Ok(())
    }

    fn draw(&mut self) {
        if self.drawn.is_empty() {
            return;
        }
        let mut table = output::Table::new(self.headings);
        for row in self.drawn.drain(..) {
            table.add_row(row);
        }
        output::line!("{table}");
    }
}

/// Returns a member as the text of a cell, escaped.
fn cell(record: &Value, name: &str) -> String {
    match record.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => output::text(text),
        Some(other) => other.to_string(),
    }
}

/// Returns a line of CSV. A cell that a spreadsheet would take for a formula begins with an apostrophe.
fn csv<'c>(cells: impl Iterator<Item = &'c str>) -> String {
    let cells: Vec<String> = cells.map(csv_cell).collect();
    format!("{}\r\n", cells.join(","))
}

fn csv_cell(text: &str) -> String {
    let is_formula =
        text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<i64>().is_err();
    let text = if is_formula {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

/// Writes text to stdout. A reader who has left ends the process, and so does another failure.
fn write(text: &str) {
    if let Err(error) = std::io::stdout().write_all(text.as_bytes()) {
        stop(error.kind());
    }
}

fn flush() {
    if let Err(error) = std::io::stdout().flush() {
        stop(error.kind());
    }
}

fn stop(kind: ErrorKind) -> ! {
    if kind != ErrorKind::BrokenPipe {
        output::note("leaver: cannot write the result; check the disk or the reader of stdout");
    }
    std::process::exit(COULD_NOT_BE_DONE)
}

/// Prints that no instant is in the period, and returns the exit status of wrong use.
pub(super) fn empty_period(_: &Config) -> std::process::ExitCode {
    output::note("leaver: no instant is in this period; `--from` must be before `--to`");
    super::wrong_usage()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_as_rfc_4180_has_it() {
        let line = csv(["plain", "a,b", "say \"yes\"", "two\nlines", ""].into_iter());
        assert_eq!(
            line,
            "plain,\"a,b\",\"say \"\"yes\"\"\",\"two\nlines\",\r\n"
        );
    }

    #[test]
    fn formulas_begin_with_an_apostrophe() {
        for formula in ["=1+1", "+cmd", "-cmd", "@sum", "\tx"] {
            assert_eq!(csv_cell(formula), format!("'{formula}"));
        }
        assert_eq!(csv_cell("=a,b"), "\"'=a,b\"");
        assert_eq!(csv_cell("-12"), "-12");
    }
}
