//! `leaver safeguard` without a subcommand.

use std::process::ExitCode;

use chrono::Datelike;

use super::super::modes::note_shadow_modes;
use super::super::output::{Listing, Table, TableColumns};
use super::super::{Config, exit_code, open, output};
use super::{excess, excess_of};
use crate::base::clock::{Clock, SystemClock};
use crate::config::Environment;
use crate::engine::accounts::AccountsTable;
use crate::reports::safeguard::{
    ForecastLine, OpenTrip, SafeguardReport, ScopeState, WindowState, safeguard,
};
use crate::service;

/// Columns of the limits.
#[derive(Debug)]
pub(super) struct Columns;

impl TableColumns for Columns {
    const COLUMNS: &'static [(&'static str, u8)] = &[
        ("tenant", 0),
        ("changes", 0),
        ("last 60 minutes", 0),
        ("last 24 hours", 0),
        ("accounts", 1),
        ("state", 0),
    ];
}

pub(super) async fn run(
    config: &Config,
    listing: &Listing<Columns>,
    env: &Environment,
) -> anyhow::Result<ExitCode> {
    let (settings, mut conn) = open(config, env).await?;
    let table = AccountsTable::inspect(&mut conn, &settings.accounts).await?;
    let policies = service::policies(&settings);
    let report = safeguard(&mut conn, &table, &policies, SystemClock.now()).await?;
    if listing.json {
        output::json(&report)?;
    } else {
        print(&report, Table::of(listing));
        note_shadow_modes(&mut conn, &settings).await?;
    }
    Ok(exit_code(report.is_clean()))
}

fn print(report: &SafeguardReport, table: Table) {
    fill(table, report).print();
    for scope in &report.scopes {
        if let Some(open) = &scope.trip {
            print_trip(open);
        }
        if let Some(grant) = &scope.grant {
            output::remark!(
                "\ngrant {} of tenant {}: {} of {} used, until {}, by {}: {}",
                grant.id,
                output::text(&grant.tenant),
                grant.used,
                grant.allowed,
                output::time(grant.expires_at),
                output::text(&grant.granted_by),
                output::text(&grant.reason)
            );
        }
        if !scope.forecast.is_empty() {
            output::remark!(
                "\nscheduled ends of access of tenant {}:",
                output::text(&scope.tenant)
            );
            for day in &scope.forecast {
                output::remark!("  {}", day_line(day));
            }
        }
        if let Some(advice) = advice(scope) {
            output::note(&advice);
        }
    }
}

fn fill(table: Table, report: &SafeguardReport) -> Table {
    // Each row is a limit of its own, also where rows are alike.
    let mut table = table.with_own_values();
    let window = |window: &WindowState| format!("{} of {}", window.changes, window.limit);
    for scope in &report.scopes {
        let state = match (&scope.trip, &scope.grant) {
            (Some(open), _) => format!("tripped: trip {} holds {}", open.trip.id, open.held),
            (None, Some(grant)) => format!("grant: {} of {} used", grant.used, grant.allowed),
            (None, None) => "ok".to_owned(),
        };
        table.add_row([
            scope.tenant.clone(),
            scope.direction.to_owned(),
            window(&scope.hour),
            window(&scope.day),
            scope.hour.population.to_string(),
            state,
        ]);
    }
    table
}

fn print_trip(open: &OpenTrip) {
    let OpenTrip { trip, held, causes } = open;
    let causes = output::outcomes(causes.iter().map(|(cause, held)| (cause.as_str(), held)));
    output::remark!(
        "\ntrip {} of tenant {} since {}: {}\nholds {held}: {}",
        trip.id,
        output::text(&trip.tenant),
        output::time(trip.opened_at),
        excess_of(trip),
        output::or_dash(Some(causes))
    );
    output::note(&format!(
        "next: `leaver safeguard release {}` lists them",
        trip.id
    ));
    output::note(&format!(
        "      `leaver safeguard reject {}` drops them",
        trip.id
    ));
}

/// Returns a line such as `34 on 31 December, limit 21: grant ahead`.
fn day_line(day: &ForecastLine) -> String {
    let date = format!("{} {}", day.day.day(), day.day.format("%B"));
    let ends = format!("{} on {date}", day.accounts);
    let (Some(limited_by), Some(changes), Some(limit)) =
        (day.limited_by, day.window_count, day.limit_count)
    else {
        return ends;
    };
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let excess = excess(limited_by, "deactivated", number(changes), number(limit));
    format!("{ends}, limit {limit}: grant ahead ({excess})")
}

/// Returns the command that grants what is scheduled, if it exceeds a limit.
fn advice(scope: &ScopeState) -> Option<String> {
    let last = scope.forecast.iter().rposition(|day| day.exceeded)?;
    let accounts = scope.forecast.iter().take(last + 1);
    let accounts: u64 = accounts.map(|day| day.accounts).sum();
    Some(format!(
        "next: `leaver safeguard grant --tenant {} --count {accounts} --for {}d --reason TEXT`",
        scope.tenant,
        last + 2
    ))
}
