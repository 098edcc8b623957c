//! Output of reports of any length: a table, CSV or JSON, row by row.

use std::io::IsTerminal;

use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;

use super::output::{self, Listing, Table, TableColumns};
use super::record_filter::RecordFilter;
use super::sources::WrongUse;
use crate::config::Settings;
use crate::reports::completeness::Missing;
use crate::reports::period::{Bound, Period};
use chrono::{DateTime, SecondsFormat};
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
    ///
    /// # Errors
    /// Refuses options of a table for JSON.
    pub(super) fn format<T: TableColumns>(
        &self,
        listing: &Listing<T>,
    ) -> anyhow::Result<RecordFormat> {
        if listing.json {
            return Ok(RecordFormat::Json);
        }
        let is_table = self.format != RecordFormat::Json;
        anyhow::ensure!(
            is_table || !listing.is_given(),
            WrongUse::new("JSON has no columns; leave --columns and --no-header out")
        );
        Ok(self.format)
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

/// The beginning of a report.
pub(super) struct RecordHead<'r> {
    /// The period.
    pub(super) period: &'r Period,
    /// Whom the report is about.
    pub(super) filter: &'r RecordFilter,
}

/// Writes rows in one of the forms. Memory does not depend on their number.
pub(super) struct RecordWriter<'l, T: TableColumns> {
    format: RecordFormat,
    listing: &'l Listing<T>,
    /// The columns of a row.
    names: Vec<&'static str>,
    drawn: Vec<Vec<String>>,
    is_terminal: bool,
    /// The note about columns that did not fit.
    left_out: Option<String>,
    rows: u64,
}

impl<'l, T: TableColumns> RecordWriter<'l, T> {
    /// Writes the beginning.
    pub(super) fn begin(
        format: RecordFormat,
        listing: &'l Listing<T>,
        head: &RecordHead<'_>,
    ) -> anyhow::Result<Self> {
        let is_terminal = std::io::stdout().is_terminal();
        let all = T::COLUMNS.iter().map(|(name, _)| *name);
        let is_drawn = format == RecordFormat::Table && is_terminal;
        let names: Vec<&str> = match listing.selected().filter(|_| !is_drawn) {
            Some(positions) => positions
                .into_iter()
                .filter_map(|position| Some(T::COLUMNS.get(position)?.0))
                .collect(),
            None => all.collect(),
        };
        let writer = Self {
            format,
            listing,
            names,
            drawn: vec![],
            is_terminal,
            left_out: None,
            rows: 0,
        };
        let has_header = !listing.no_header;
        match format {
            RecordFormat::Json => {
                let text = serde_json::to_string(head.period)?;
                let text = text.strip_suffix('}').unwrap_or(&text);
                let filter = serde_json::to_string(head.filter)?;
                let filter = printable_json(&filter);
                output::write_text(&format!("{text},\"filter\":{filter},\"rows\":["));
            }
            RecordFormat::Csv if has_header => {
                output::write_text(&csv(writer.names.iter().copied()));
            }
            RecordFormat::Table if has_header && !is_terminal => {
                output::write_text(&format!("{}\n", writer.names.join("\t")));
            }
            RecordFormat::Csv | RecordFormat::Table => {}
        }
        if format != RecordFormat::Json {
            let (period, zone) = (head.period, head.period.timezone);
            output::note(&format!("period: {} ({zone})", describe(period)));
            if let Some(filter) = head.filter.text() {
                output::note(&format!("only: {filter}"));
            }
        }
        Ok(writer)
    }

    /// Writes a row. The members of `record` are the columns.
    pub(super) fn row<R: Serialize>(&mut self, record: &R) -> anyhow::Result<()> {
        self.rows += 1;
        if self.format == RecordFormat::Json {
            let separator = if self.rows == 1 { "\n" } else { ",\n" };
            let text = serde_json::to_string(record)?;
            output::write_text(&format!("{separator}{}", printable_json(&text)));
            return Ok(());
        }
        let value = serde_json::to_value(record)?;
        let without_value = match self.format {
            RecordFormat::Table => "-",
            RecordFormat::Csv | RecordFormat::Json => "",
        };
        let names = self.names.iter();
        let cells: Vec<String> = names
            .map(|name| cell(&value, name).unwrap_or_else(|| without_value.to_owned()))
            .collect();
        match self.format {
            RecordFormat::Csv => output::write_text(&csv(cells.iter().map(String::as_str))),
            _ if self.is_terminal => {
                self.drawn
                    .push(cells.into_iter().map(to_the_second).collect());
                if self.drawn.len() >= DRAWN_ROWS {
                    self.draw();
                }
            }
            _ => output::write_text(&format!("{}\n", cells.join("\t"))),
        }
        Ok(())
    }

    /// Returns true if the report has no rows.
    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Writes the end: what is missing, and numbers.
    pub(super) fn end<C: Serialize>(
        mut self,
        missing: &[Missing],
        counts: &C,
    ) -> anyhow::Result<()> {
        self.draw();
        if self.format == RecordFormat::Json {
            let missing = serde_json::to_string(missing)?;
            let counts = serde_json::to_string(counts)?;
            output::write_text(&format!(
                "\n],\"missing\":{},\"counts\":{counts}}}\n",
                printable_json(&missing)
            ));
        } else if self.rows == 0 {
            output::note("nothing in this period");
        }
        if let Some(text) = &self.left_out {
            output::note(text);
        }
        if missing.is_empty() {
            output::note("complete");
        }
        for missing in missing {
            output::note(&format!("incomplete: {}", missing.text));
        }
        Ok(())
    }

    fn draw(&mut self) {
        if self.drawn.is_empty() {
            return;
        }
        let mut table = Table::of(self.listing);
        for row in self.drawn.drain(..) {
            table.add_row(row);
        }
        self.left_out = table.print_part().or(self.left_out.take());
    }
}

/// Returns a member as the text of a cell, escaped.
fn cell(record: &Value, name: &str) -> Option<String> {
    match record.get(name)? {
        Value::Null => None,
        Value::String(text) => Some(output::text(text)),
        other => Some(other.to_string()),
    }
}

/// Returns a time as other tables show it. Other texts stay as they are.
fn to_the_second(cell: String) -> String {
    match DateTime::parse_from_rfc3339(&cell) {
        Ok(at) => output::time(at.to_utc()),
        Err(_) => cell,
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

/// Prints that no instant is in the period, and returns the exit status of wrong use.
pub(super) fn empty_period() -> std::process::ExitCode {
    output::problem("leaver: no instant is in this period; `--from` must be before `--to`");
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
