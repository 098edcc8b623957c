//! `leaver enforce` and `leaver shadow`.

use std::process::ExitCode;

use anyhow::ensure;
use clap::{Args, ValueEnum};
use sqlx::PgConnection;

use super::output::{Listing, Table, TableColumns};
use super::person::Person;
use super::plan::{self, PlanReport};
use super::reads::record_read;
use super::sources::open_about;
use super::{Config, Format, exit_code, output};
use crate::base::clock::{Clock, SystemClock};
use crate::config::{Environment, Settings};
use crate::engine::accounts::{AccountsTable, privileges};
use crate::engine::shadow::change_mode::{
    Backlog, ModeChange, leave_shadow_mode, start_shadow_mode,
};
use crate::service;
use leaver_core::domain::SourceName;
use leaver_core::safeguard::SourceMode;

/// Most rows that are shown before a decision; `leaver plan` shows all.
const MAX_ROWS: usize = 20;

/// Leave shadow mode: the changes of a source are made from now on
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver enforce --source bamboohr\n  leaver enforce --source bamboohr --backlog release\n\nExit codes: 1 changes are planned and --backlog is missing, or the safeguard tripped, or the database did not make a change"
)]
pub(super) struct Enforce {
    #[command(flatten)]
    config: Config,
    /// The source
    #[arg(long, value_name = "NAME", value_parser = SourceName::parse)]
    source: SourceName,
    /// Make the planned changes, or keep those accounts as they are
    #[arg(long, value_enum)]
    backlog: Option<BacklogArg>,
    #[command(flatten)]
    person: Person,
    #[command(flatten)]
    listing: Listing<Columns>,
}

/// Columns of the planned changes, with the result of each: those of `leaver plan`, and `outcome`.
#[derive(Debug)]
struct Columns;

impl TableColumns for Columns {
    const COLUMNS: &'static [(&'static str, u8)] = &[
        ("employee", 0),
        ("work e-mail", 1),
        ("source", 6),
        ("tenant", 5),
        ("account", 2),
        ("change", 1),
        ("since", 4),
        ("reason", 3),
        ("outcome", 0),
    ];
}

/// The answer about the planned changes.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum BacklogArg {
    /// Make them, within the limits of the safeguard
    Release,
    /// Keep these accounts as they are until the facts change
    Accept,
}

/// Start shadow mode: the changes of a source are only planned from now on
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  leaver shadow --source bamboohr --as dana\n  leaver plan")]
pub(super) struct Shadow {
    #[command(flatten)]
    config: Config,
    /// The source
    #[arg(long, value_name = "NAME", value_parser = SourceName::parse)]
    source: SourceName,
    #[command(flatten)]
    person: Person,
    #[command(flatten)]
    format: Format,
}

impl Shadow {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let source = Some(self.source.as_str());
        let (settings, mut conn) = open_about(&self.config, env, source).await?;
        let (policies, source) = (service::policies(&settings), &self.source);
        let (actor, now) = (self.person.actor(env)?, SystemClock.now());
        let changed = start_shadow_mode(&mut conn, &policies, source, &actor, now).await?;
        if self.format.json {
            output::json(&serde_json::json!({
                "source": source, "mode": SourceMode::Shadow, "changed": changed
            }))?;
        } else if changed {
            output::line!(
                "source {source} is in shadow mode now: its changes are only planned, in all replicas"
            );
        } else {
            output::line!("source {source} is in shadow mode already");
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Enforce {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let source = Some(self.source.as_str());
        let (settings, mut conn) = open_about(&self.config, env, source).await?;
        let table = AccountsTable::inspect(&mut conn, &settings.accounts).await?;
        ensure_update(&mut conn, &settings, &table).await?;
        let report = PlanReport::of(&mut conn, &settings, Some(&self.source)).await?;
        let (policies, backlog) = (service::policies(&settings), self.backlog());
        let (actor, now) = (self.person.actor(env)?, SystemClock.now());
        let change = leave_shadow_mode(
            &mut conn,
            &table,
            &policies,
            &self.source,
            backlog,
            &actor,
            now,
        );
        let change = change.await?;
        if change.needs_answer() {
            let filter = format!("enforce, source {}, the plan to decide about", self.source);
            record_read(&mut conn, env, &filter).await?;
        }
        let table = Table::of(&self.listing);
        if self.listing.json {
            output::json(&change)?;
        } else if change.needs_answer() {
            let most = if output::is_terminal() {
                MAX_ROWS
            } else {
                usize::MAX
            };
            report.print(table, most, &["-"]);
            let source = &self.source;
            output::problem("nothing was changed; the planned changes need an answer");
            output::note(&format!(
                "next: `leaver enforce --source {source} --backlog release` makes these changes"
            ));
            output::note(
                "      `--backlog accept` keeps these accounts as they are until the facts change",
            );
        } else {
            print(&change, &report, table);
        }
        let is_blocked = change.outcomes().contains_key("blocked");
        let is_clean = !change.needs_answer() && change.trips.is_empty() && !is_blocked;
        Ok(exit_code(is_clean))
    }

    fn backlog(&self) -> Option<Backlog> {
        self.backlog.map(|backlog| match backlog {
            BacklogArg::Release => Backlog::Release,
            BacklogArg::Accept => Backlog::Accept,
        })
    }
}

/// Fails if the role may not change accounts: each change would be blocked.
async fn ensure_update(
    conn: &mut PgConnection,
    settings: &Settings,
    table: &AccountsTable,
) -> anyhow::Result<()> {
    let mapping = &settings.accounts;
    let rights = privileges::rights(conn, table, mapping, None).await?;
    ensure!(
        rights.update,
        "role {} may not UPDATE the users table, so nothing was changed; for the role of the service, run: {}",
        rights.role,
        mapping.grant_statement(table, &rights.role)
    );
    Ok(())
}

/// Prints the new mode and the results: those that were not made, and for a pipe all of them.
fn print(change: &ModeChange, report: &PlanReport, mut table: Table) {
    let source = &change.source;
    if change.before == SourceMode::Enforce {
        output::remark!("source {source} is in enforce mode already");
        return table.print_header();
    }
    output::remark!(
        "source {source} is in enforce mode now: its changes are made, in all replicas"
    );
    if change.results.is_empty() {
        output::remark!("nothing was planned");
        return table.print_header();
    }
    output::remark!(
        "planned changes: {}; {}",
        change.plan.changes.len(),
        output::outcomes(change.outcomes())
    );
    let mut is_printed = !output::is_terminal();
    for result in &change.results {
        if output::is_terminal() && result.why.is_none() {
            continue;
        }
        is_printed = true;
        let mut cells = plan::cells(&result.change, report.work_email(&result.change));
        if let (Some(why), Some(reason)) = (&result.why, cells.last_mut()) {
            reason.clone_from(why);
        }
        let outcome = result.outcome.replace('_', " ");
        table.add_row(cells.into_iter().chain([outcome]));
    }
    if is_printed {
        table.print();
    }
    if let Some(digest) = &change.digest {
        output::remark!("digest of the changes that were made: {digest}");
    }
    if let Some(batch) = change.batch {
        output::note(&format!("`leaver undo --batch {batch}` takes them back"));
    }
    for trip in &change.trips {
        output::note(&format!("the safeguard tripped: trip {trip} holds changes"));
        output::note(&format!(
            "next: `leaver safeguard release {trip}` lists them"
        ));
        output::note(&format!(
            "      `leaver safeguard reject {trip}` drops them"
        ));
    }
}
