//! `leaver check`: one line per check, with its status and what to do.

mod accounts;
mod apis;
mod connections;
mod database;
mod destinations;
mod events;
mod lookup;
mod modes;
mod names;
mod numbers;
mod protected;
mod rights;
mod send_test;
mod settings;
mod webhooks;

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use self::apis::check_apis;
use self::database::check_database;
use self::destinations::check_destinations;
use self::names::check_public_url;
use self::send_test::send_test;
use self::settings::{check_log, check_secrets, check_settings};
use super::output::{Listing, TableColumns};
use super::{Config, could_not_be_done, exit_code, output};
use crate::config::{Environment, SecretScope, Settings, SettingsError};

/// Check the configuration, the providers' APIs, the database and the users table
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver check\n  leaver check --offline\n  leaver check --config /etc/leaver.toml --json\n  leaver check --send-test it-channel\n\nNothing is changed. Each configured API is read once; --offline leaves that out, and looks no name up.\nNothing is sent to a destination without --send-test.\n\nExit status: 1 at least one line is an error, 3 there is no connection to the database, so not everything was checked"
)]
pub(super) struct Check {
    #[command(flatten)]
    config: Config,
    /// Call no API, and look no name up
    #[arg(long)]
    offline: bool,
    /// Send a test event to this destination
    #[arg(long, value_name = "NAME", conflicts_with = "offline")]
    send_test: Option<String>,
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
    /// True if there is no connection to the database.
    lacks_database: bool,
}

impl CheckReport {
    fn add(&mut self, status: CheckStatus, check: &str, message: impl Into<String>) {
        self.lines.push(CheckLine {
            check: check.to_owned(),
            status,
            message: message.into(),
        });
    }

    fn count(&self, status: CheckStatus) -> usize {
        let with_status = self.lines.iter().filter(|line| line.status == status);
        with_status.count()
    }

    /// Returns the number of lines per status.
    fn summary(&self) -> String {
        let (errors, warnings) = (
            self.count(CheckStatus::Error),
            self.count(CheckStatus::Warning),
        );
        let rest = if self.lacks_database {
            "; without the database not everything was checked"
        } else {
            ""
        };
        format!(
            "{}, {}, {} ok{rest}",
            output::count(errors, "error"),
            output::count(warnings, "warning"),
            self.count(CheckStatus::Ok)
        )
    }

    fn exit_code(&self) -> ExitCode {
        if self.lacks_database {
            return could_not_be_done();
        }
        exit_code(self.count(CheckStatus::Error) == 0)
    }
}

impl Check {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let mut report = CheckReport::default();
        let file = self.config.config.as_deref();
        match Settings::read(file, env, &SecretScope::all()) {
            Ok(settings) => self.check_all(&mut report, settings).await,
            Err(error) => {
                let message = output::chain(&error.into());
                report.add(CheckStatus::Error, "configuration", message);
                // What needs no other secret is checked all the same.
                if let Ok(settings) = Settings::read(file, env, &SecretScope::database()) {
                    check_log(&mut report, &settings);
                    check_database(&mut report, &settings).await;
                }
                self.send_test_alone(&mut report, env).await;
            }
        }
        if self.listing.json {
            output::json(&report.lines)?;
        } else {
            let mut table = output::Table::of(&self.listing).without_borders();
            for line in &report.lines {
                table.add_row(line.row());
            }
            table.print();
            output::note(&report.summary());
        }
        Ok(report.exit_code())
    }

    /// Sends the test event although another secret cannot be read.
    async fn send_test_alone(&self, report: &mut CheckReport, env: &Environment) {
        let Some(name) = &self.send_test else { return };
        let scope = SecretScope::none().with_destination(name);
        if let Ok(settings) = Settings::read(self.config.config.as_deref(), env, &scope) {
            send_test(report, &settings, name).await;
        }
    }

    /// Checks first what needs no database.
    async fn check_all(&self, report: &mut CheckReport, settings: Settings) {
        if settings.sources.is_empty() {
            let error = SettingsError::NoSource(String::new());
            report.add(CheckStatus::Error, "sources", error.to_string());
        } else {
            report.add(CheckStatus::Ok, "configuration", "valid");
        }
        check_secrets(report, &settings);
        check_log(report, &settings);
        if !settings.sources.is_empty() {
            check_settings(report, &settings);
        }
        check_public_url(report, &settings.server, self.offline).await;
        check_apis(report, &settings, self.offline).await;
        check_destinations(report, &settings, self.offline).await;
        if let Some(name) = &self.send_test {
            send_test(report, &settings, name).await;
        }
        check_database(report, &settings).await;
    }
}
