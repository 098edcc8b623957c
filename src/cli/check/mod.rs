//! `leaver check`: one line per check, with its status and what to do.

mod accounts;
mod connections;
mod database;
mod lookup;
mod modes;
mod numbers;
mod protected;
mod rights;
mod settings;
mod webhooks;

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use self::database::check_database;
use self::settings::{check_secrets, check_settings};
use self::webhooks::check_webhooks;
use super::output::{Listing, TableColumns};
use super::{Config, could_not_be_done, exit_code, output};
use crate::config::{Environment, SecretScope, Settings, SettingsError};

/// Check the configuration, the database and the users table
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver check\n  leaver check --config /etc/leaver.toml --json\n\nExit status: 1 a line is an error, 3 the database did not answer"
)]
pub(super) struct Check {
    #[command(flatten)]
    config: Config,
    #[command(flatten)]
    listing: Listing<Columns>,
}

#[derive(Debug)]
struct Columns;

impl TableColumns for Columns {
    const COLUMNS: &'static [(&'static str, u8)] = &[("status", 0), ("check", 0), ("message", 0)];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum CheckStatus {
    Ok,
    Warning,
    Error,
}

#[derive(Debug, Serialize)]
struct CheckLine {
    check: String,
    status: CheckStatus,
    message: String,
}

impl CheckLine {
    fn row(&self) -> [&str; 3] {
        let status = match self.status {
            CheckStatus::Ok => "ok",
            CheckStatus::Warning => "warning",
            CheckStatus::Error => "ERROR",
        };
        [status, &self.check, &self.message]
    }
}

#[derive(Debug, Default)]
struct CheckReport {
    lines: Vec<CheckLine>,
    /// True if the database did not answer, so that most was not checked.
    has_no_database: bool,
}

impl CheckReport {
    fn add(&mut self, status: CheckStatus, check: &str, message: impl Into<String>) {
        self.lines.push(CheckLine {
            check: check.to_owned(),
            status,
            message: message.into(),
        });
    }
}

impl Check {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let mut report = CheckReport::default();
        match Settings::load(self.config.config.as_deref(), env) {
            Ok(settings) => {
                report.add(CheckStatus::Ok, "configuration", "valid");
                check_secrets(&mut report, &settings);
                check_settings(&mut report, &settings);
                check_database(&mut report, &settings).await;
                check_webhooks(&mut report, &settings).await;
            }
            Err(error @ SettingsError::NoSource) => {
                report.add(CheckStatus::Error, "sources", error.to_string());
                if let Ok(settings) =
                    Settings::read(self.config.config.as_deref(), env, &SecretScope::all())
                {
                    check_database(&mut report, &settings).await;
                }
            }
            Err(error) => report.add(
                CheckStatus::Error,
                "configuration",
                output::chain(&error.into()),
            ),
        }
        let has_errors = report
            .lines
            .iter()
            .any(|line| line.status == CheckStatus::Error);
        if self.listing.json {
            output::json(&report.lines)?;
        } else {
            let mut table = output::Table::of(&self.listing).without_borders();
            for line in &report.lines {
                table.add_row(line.row());
            }
            table.print();
        }
        if report.has_no_database {
            return Ok(could_not_be_done());
        }
        Ok(exit_code(!has_errors))
    }
}
