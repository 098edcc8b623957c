//! Options of a command that prints a table: `--json`, `--columns`, `--no-header`.
//!
//! A command declares its table so:
//!
//! ```text
//! /// Columns of `leaver leavers`.
//! #[derive(Debug)]
//! struct Leavers;
//!
//! impl TableColumns for Leavers {
//!     // 0 is always shown. On a narrow terminal, the greatest number is added last.
//!     const COLUMNS: &'static [(&'static str, u8)] = &[("employee", 0), ("source", 3), ("end", 0), ("reason", 1)];
//! }
//!
//! #[command(flatten)]
//! listing: Listing<Leavers>,       // in place of `format: Format`
//!
//! if self.listing.json {
//!     return output::json(&rows);
//! }
//! let mut table = output::Table::of(&self.listing);
//! table.add_row([id, source, output::time(end), reason]);   // texts are escaped, in the order of COLUMNS
//! table.print();                                            // also without rows, so that a pipe gets the header
//! output::remark!("{} leavers", rows.len());                // stdout on a terminal, a note on stderr otherwise
//! output::note("next: `leaver audit`");                     // stderr, not with --quiet
//! output::problem("leaver: several fit; use --all");        // stderr, also with --quiet: why nothing was done
//! ```
//!
//! A pipe gets exactly one table. A command with several lists prints one table with a column `group`. A table without these
//! options is `Table::new(&["key", "value"])`. A misuse is `return Err(WrongUse::new("…").into())`: exit status 2.

use std::marker::PhantomData;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Arg, Args, Command, error::ErrorKind};

/// The columns of a table.
pub(crate) trait TableColumns: Send + Sync + 'static {
    /// Heading and priority. 0 is always shown; on a narrow terminal the greatest is added last.
    const COLUMNS: &'static [(&'static str, u8)];
}

/// Format and columns of the result.
#[derive(Debug, Args)]
pub(crate) struct Listing<T: TableColumns> {
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print these columns only, in this order, at any width
    #[arg(long, value_name = "NAMES", value_delimiter = ',', conflicts_with = "json", value_parser = ColumnParser::of::<T>())]
    columns: Vec<String>,
    /// Leave the header line out
    #[arg(long, conflicts_with = "json")]
    pub(crate) no_header: bool,
    #[arg(skip)]
    table: PhantomData<fn() -> T>,
}

impl<T: TableColumns> Listing<T> {
    /// Returns the positions of the columns of `--columns`.
    pub(crate) fn selected(&self) -> Option<Vec<usize>> {
        let names: Vec<String> = T::COLUMNS
            .iter()
            .map(|(heading, _)| name(heading))
            .collect();
        let position = |chosen: &String| names.iter().position(|name| name == chosen);
        let positions: Vec<usize> = self.columns.iter().filter_map(position).collect();
        (!positions.is_empty()).then_some(positions)
    }

    /// Returns true if an option of the table is given.
    pub(crate) fn is_given(&self) -> bool {
        self.no_header || !self.columns.is_empty()
    }
}

/// Returns the name of a column for `--columns`, such as `work_email`.
fn name(heading: &str) -> String {
    heading.replace("e-mail", "email").replace([' ', '-'], "_")
}

/// Accepts the columns of one table, by name or heading. Its error lists the names.
#[derive(Clone)]
struct ColumnParser(&'static [(&'static str, u8)]);

impl ColumnParser {
    fn of<T: TableColumns>() -> Self {
        Self(T::COLUMNS)
    }

    fn values(&self) -> PossibleValuesParser {
        let value =
            |(heading, _): &(&'static str, u8)| PossibleValue::new(name(heading)).alias(*heading);
        PossibleValuesParser::new(self.0.iter().map(value))
    }
}

impl TypedValueParser for ColumnParser {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<String, clap::Error> {
        let text = value.to_str().map(str::trim).unwrap_or_default();
        if text.is_empty() {
            return Err(clap::Error::raw(
                ErrorKind::ValueValidation,
                "--columns has an empty name; separate the names with commas\n",
            )
            .with_cmd(command));
        }
        let chosen = self.values().parse_ref(command, arg, text.as_ref())?;
        let heading = self.0.iter().find(|(heading, _)| *heading == chosen);
        Ok(heading.map_or(chosen, |(heading, _)| name(heading)))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let values = self
            .0
            .iter()
            .map(|(heading, _)| PossibleValue::new(name(heading)));
        Some(Box::new(values))
    }
}
