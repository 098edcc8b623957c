//! `leaver backtest`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::Args;

use super::progress::{Progress, Total};
use super::reads::record_read;
use super::{Config, Format, exit_code, open, output};
use crate::base::clock::{Clock, SystemClock};
use crate::config::{Environment, SecretScope, Settings};
use crate::reports::backtest::{BacktestReport, DifferenceRow, TripRow, compare};
use crate::reports::employees::parse_time;
use crate::roster::sizes;
use leaver_core::backtest::{Both, Rules, Standing};

/// Most rows of the table of differences; `--json` has all of them.
const MAX_ROWS: usize = 200;

/// Try a new configuration on the recorded observations; nothing is changed
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver backtest --against new.toml\n  leaver backtest --against new.toml --since 2026-10-01 --json | jq '.differences'\n\nIt compares [policy], [safeguard] and the sources of the present configuration (--config) with those of new.toml.\nBoth are read with the same environment, which overrides both.\nExit code 1: somebody would lose access under the new policy only"
)]
pub(super) struct Backtest {
    #[command(flatten)]
    config: Config,
    /// The new configuration file
    #[arg(long, value_name = "FILE")]
    against: PathBuf,
    /// Only differences after this time; a date means midnight UTC
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    since: Option<DateTime<Utc>>,
    #[command(flatten)]
    format: Format,
}

impl Backtest {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let now = SystemClock.now();
        if self.since.is_some_and(|since| since > now) {
            output::note("--since lies in the future; give a past time");
            return Ok(ExitCode::from(2));
        }
        let new = Settings::read(Some(&self.against), env, &SecretScope::none())
            .and_then(Settings::with_sources)
            .context("the new configuration")?;
        let (present, mut conn) = open(&self.config, env).await?;
        let rules = Both {
            present: rules(present),
            new: rules(new),
        };
        let is_same = rules.present == rules.new;
        record_read(&mut conn, env, "backtest").await?;
        let total = sizes::store::observations(&mut conn).await?;
        let progress = Progress::start("backtest", "observation", Total::Exactly(total));
        let on_page = |replayed| progress.set(replayed);
        let report = compare(&mut conn, rules, self.since, now, &on_page).await?;
        progress.finish();
        if self.format.json {
            output::json(&report)?;
        } else {
            print(&report);
            if is_same {
                output::note(
                    "both configurations decide alike; an environment variable may override the new file",
                );
            }
        }
        Ok(exit_code(report.more_without_access == 0))
    }
}

fn rules(settings: Settings) -> Rules {
    let sources = settings.sources.into_iter();
    Rules {
        policies: sources.map(|source| (source.name, source.policy)).collect(),
        limits: settings.safeguard.limits,
    }
}

fn print(report: &BacktestReport) {
    let Some(recorded_since) = report.recorded_since else {
        output::line!("observations: none recorded yet; nothing can be added to the past");
        return;
    };
    output::line!(
        "observations: {} of {}, recorded since {}; nothing can be added to the past",
        report.observations,
        counted(report.employees, "employee"),
        output::time(recorded_since)
    );
    output::line!(
        "period:       {} to {}",
        output::time(report.since.unwrap_or(recorded_since).max(recorded_since)),
        output::time(report.until)
    );
    let differences = &report.differences;
    output::line!(
        "differences:  {}; {} would lose access under the new policy only",
        differences.len(),
        counted(report.more_without_access, "employee")
    );
    output::line!(
        "trips:        {} under the present policy, {} under the new one",
        report.trips.present.len(),
        report.trips.new.len()
    );
    if !differences.is_empty() {
        output::line!();
        output::line!("{}", differences_table(differences));
        if differences.len() > MAX_ROWS {
            output::note(&format!(
                "{} more differences; `--json` lists all",
                differences.len() - MAX_ROWS
            ));
        }
    }
    if !report.trips.new.is_empty() {
        output::line!();
        output::line!("trips under the new policy, each released at once:");
        output::line!("{}", trips_table(&report.trips.new, &report.trips.present));
    }
}

fn counted(number: u64, noun: &str) -> String {
    output::count(usize::try_from(number).unwrap_or(usize::MAX), noun)
}

fn differences_table(differences: &[DifferenceRow]) -> output::Table {
    let mut table = output::Table::new(&[
        "employee", "source", "tenant", "from", "until", "present", "new", "reason",
    ]);
    for difference in differences.iter().take(MAX_ROWS) {
        table.add_row([
            difference.employee_id.to_string(),
            difference.source.to_string(),
            difference.tenant.to_string(),
            output::time(difference.from),
            output::time_or_dash(difference.until),
            shown(difference.standings.present).to_owned(),
            shown(difference.standings.new).to_owned(),
            difference.new_reason.clone(),
        ]);
    }
    table
}

fn trips_table(trips: &[TripRow], present: &[TripRow]) -> output::Table {
    let mut table = output::Table::new(&[
        "tenant",
        "at",
        "direction",
        "window",
        "changes",
        "limit",
        "accounts",
        "also now",
    ]);
    for trip in trips {
        table.add_row([
            trip.tenant.to_string(),
            output::time(trip.at),
            trip.direction.to_owned(),
            trip.limited_by.to_owned(),
            trip.window_count.to_string(),
            trip.limit_count.to_string(),
            trip.population.to_string(),
            output::yes_or_no(present.contains(trip)).to_owned(),
        ]);
    }
    table
}

fn shown(standing: Standing) -> &'static str {
    match standing {
        Standing::Access => "access",
        Standing::EndHeld => "access, end held",
        Standing::Ended => "no access",
        Standing::ReturnHeld => "no access, return held",
    }
}
