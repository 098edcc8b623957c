//! `leaver config env`.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::super::output::{Listing, Table, TableColumns};
use super::super::{Config, output};
use crate::config::{Environment, Settings};

/// List every environment variable, its key, whether it is set, and its meaning
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver config env\n  leaver config env --set --json\n\nThe value of a variable is never shown."
)]
pub(super) struct Env {
    #[command(flatten)]
    config: Config,
    /// Only variables that are set
    #[arg(long)]
    set: bool,
    #[command(flatten)]
    listing: Listing<Columns>,
}

/// Columns of the variables.
#[derive(Debug)]
struct Columns;

impl TableColumns for Columns {
    const COLUMNS: &'static [(&'static str, u8)] = &[
        ("variable", 0),
        ("set", 0),
        ("default", 2),
        ("key", 3),
        ("meaning", 1),
    ];
}

impl Env {
    pub(super) fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let mut variables = Settings::variables(self.config.config.as_deref(), env)?;
        if self.set {
            variables.retain(|variable| variable.is_set);
        }
        if self.listing.json {
            output::json(&variables)?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut table = Table::of(&self.listing);
        for variable in variables {
            let default = match variable.default {
                None => "-".to_owned(),
                Some(Value::String(text)) => text,
                Some(other) => other.to_string(),
            };
            table.add_row([
                variable.name,
                output::yes_or_no(variable.is_set).to_owned(),
                default,
                output::or_dash(variable.key),
                variable.meaning,
            ]);
        }
        table.print();
        Ok(ExitCode::SUCCESS)
    }
}
