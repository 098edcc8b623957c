//! `leaver backtest`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use clap::Args;

use super::output::{Listing, Table, TableColumns};
use super::progress::{Progress, Total};
use super::reads::record_read;
use super::sources::WrongUse;
use super::{Config, exit_code, open, output};
use crate::base::clock::{Clock, SystemClock};
use crate::config::{Environment, SecretScope, Settings};
use crate::reports::backtest::{BacktestReport, DifferenceRow, TripRow, compare};
use crate::reports::employees::parse_time;
use crate::roster::sizes;
use leaver_core::backtest::{Both, Rules, Standing};

/// Most rows of the table of differences on a terminal; a pipe and `--json` have all of them.
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
    listing: Listing<Columns>,
}

#[derive(Debug)]
struct Columns;

impl TableColumns for Columns {
    const COLUMNS: &'static [(&'static str, u8)] = &[
        ("employee", 0),
        ("source", 5),
        ("tenant", 6),
        ("from", 1),
        ("until", 3),
        ("present", 0),
        ("new", 0),
        ("reason", 4),
    ];
}

impl Backtest {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let now = SystemClock.now();
        if self.since.is_some_and(|since| since > now) {
            bail!(WrongUse::new(
                "--since lies in the future; give a past time"
            ));
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
        if self.listing.json {
            output::json(&report)?;
        } else {
            print(&report, Table::of(&self.listing));
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

fn print(report: &BacktestReport, mut table: Table) {
    let Some(recorded_since) = report.recorded_since else {
        return table
            .print_empty("observations: none recorded yet; nothing can be added to the past");
    };
    output::remark!(
        "observations: {} of {}, recorded since {}; nothing can be added to the past",
        report.observations,
        counted(report.employees, "employee"),
        output::time(recorded_since)
    );
    output::remark!(
        "period:       {} to {}",
        output::time(report.since.unwrap_or(recorded_since).max(recorded_since)),
        output::time(report.until)
    );
    let differences = &report.differences;
    output::remark!(
        "differences:  {}; {} would lose access under the new policy only",
        differences.len(),
        counted(report.more_without_access, "employee")
    );
    output::remark!(
        "trips:        {} under the present policy, {} under the new one",
        report.trips.present.len(),
        report.trips.new.len()
    );
    let most = if output::is_terminal() {
        MAX_ROWS
    } else {
        usize::MAX
    };
    for difference in differences.iter().take(most) {
        table.add_row(cells(difference));
    }
    if !(differences.is_empty() && output::is_terminal()) {
        table.print();
    }
    if differences.len() > most {
        output::note(&format!(
            "{} more differences; `--json` lists all",
            differences.len() - most
        ));
    }
    if !report.trips.new.is_empty() && output::is_terminal() {
        output::line!("\ntrips under the new policy, each released at once:");
        trips_table(&report.trips.new, &report.trips.present).print();
    }
}

fn counted(number: u64, noun: &str) -> String {
    output::count(usize::try_from(number).unwrap_or(usize::MAX), noun)
}

fn cells(difference: &DifferenceRow) -> [String; 8] {
    [
        difference.employee_id.to_string(),
        difference.source.to_string(),
        difference.tenant.to_string(),
        output::time(difference.from),
        output::time_or_dash(difference.until),
        shown(difference.standings.present).to_owned(),
        shown(difference.standings.new).to_owned(),
        difference.new_reason.clone(),
    ]
}

fn trips_table(trips: &[TripRow], present: &[TripRow]) -> Table {
    let mut table = Table::with([
        ("tenant", 0),
        ("at", 0),
        ("direction", 2),
        ("window", 3),
        ("changes", 0),
        ("limit", 0),
        ("accounts", 1),
        ("also now", 0),
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
