//! `leaver plan`.

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use sqlx::PgConnection;

use super::modes::described;
use super::output::{Listing, Table, TableColumns};
use super::reads::record_read;
use super::sources::open_about;
use super::{Config, output};
use crate::base::clock::{Clock, SystemClock};
use crate::config::{Environment, Settings};
use crate::engine::accounts::AccountsTable;
use crate::engine::safeguard::Outlook;
use crate::engine::shadow::plan::{Plan, PlannedChange};
use crate::engine::shadow::{self, ModeOfSource};
use crate::roster;
use crate::service;
use leaver_core::domain::{EmployeeKey, SourceName};

/// Show what shadow mode would have done
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver plan\n  leaver plan --source bamboohr --json\n\nNext: `leaver enforce --source NAME`"
)]
pub(super) struct ShowPlan {
    #[command(flatten)]
    config: Config,
    /// Only this source
    #[arg(long, value_name = "NAME", value_parser = SourceName::parse)]
    source: Option<SourceName>,
    #[command(flatten)]
    listing: Listing<Columns>,
}

/// Columns of the planned changes.
#[derive(Debug)]
pub(super) struct Columns;

impl TableColumns for Columns {
    const COLUMNS: &'static [(&'static str, u8)] = &[
        ("employee", 0),
        ("work e-mail", 3),
        ("source", 6),
        ("tenant", 5),
        ("account", 1),
        ("change", 0),
        ("since", 4),
        ("reason", 2),
    ];
}

/// The plan with all that belongs to it. It contains personal data, so it has no `Debug`.
#[derive(Serialize)]
pub(super) struct PlanReport {
    /// The digest of the changes.
    digest: String,
    /// The modes of the sources.
    sources: Vec<ModeOfSource>,
    /// The changes, by person.
    changes: Vec<Row>,
    /// How the safeguard would admit all of them now.
    limits: Vec<Outlook>,
}

#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    change: PlannedChange,
    work_email: Option<String>,
}

impl PlanReport {
    /// Makes the report of a plan.
    pub(super) async fn of(
        conn: &mut PgConnection,
        settings: &Settings,
        source: Option<&SourceName>,
    ) -> anyhow::Result<Self> {
        let table = AccountsTable::inspect(conn, &settings.accounts).await?;
        let (policies, now) = (service::policies(settings), SystemClock.now());
        let mut sources = shadow::modes(conn, &policies).await?;
        sources.retain(|found| source.is_none_or(|source| found.source == *source));
        let plan = Plan::load(conn, &table, source).await?;
        let limits = plan.outlooks(conn, &table, &policies, now).await?;
        let keys = plan.changes.iter().map(PlannedChange::key);
        let keys = keys.collect::<Result<Vec<EmployeeKey>, _>>()?;
        let emails = roster::store::work_emails(conn, &keys).await?;
        let rows = plan.changes.into_iter().zip(emails);
        let rows = rows.map(|(change, work_email)| Row { change, work_email });
        Ok(Self {
            digest: plan.digest,
            sources,
            changes: rows.collect(),
            limits,
        })
    }

    /// Returns the work e-mail of the employee of a change.
    pub(super) fn work_email(&self, change: &PlannedChange) -> Option<&str> {
        let mut rows = self.changes.iter();
        let row = rows.find(|row| row.change.key().ok() == change.key().ok())?;
        row.work_email.as_deref()
    }

    /// Prints the report with at most this many changes. These cells follow those of [`Columns`].
    pub(super) fn print(&self, mut table: Table, most: usize, more: &[&str]) {
        for found in &self.sources {
            output::remark!("source {}: {}", found.source, described(found));
        }
        if self.changes.is_empty() {
            return table.print_empty("planned changes: none");
        }
        output::remark!("planned changes: {}", self.changes.len());
        for row in self.changes.iter().take(most) {
            let cells = cells(&row.change, row.work_email.as_deref());
            table.add_row(
                cells
                    .into_iter()
                    .chain(more.iter().map(|cell| (*cell).to_owned())),
            );
        }
        table.print();
        if self.changes.len() > most {
            let left = self.changes.len() - most;
            output::note(&format!("{left} more; `leaver plan` lists all of them"));
        }
        output::remark!("digest: {}", self.digest);
        for limit in &self.limits {
            output::remark!("{}", outlook(limit));
            if limit.reason.is_some() {
                output::note(
                    "next: `leaver safeguard grant` permits them ahead; otherwise decide about the trip",
                );
            }
        }
    }
}

/// Returns the cells of [`Columns`].
pub(super) fn cells(change: &PlannedChange, work_email: Option<&str>) -> [String; 8] {
    [
        change.employee_id.clone(),
        output::or_dash(work_email),
        change.source.clone(),
        change.tenant.clone(),
        change.account_id.clone(),
        verb(&change.direction).to_owned(),
        output::time(change.planned_at),
        change.reason.clone(),
    ]
}

fn verb(direction: &str) -> &'static str {
    match direction {
        "reactivated" => "reactivate",
        _ => "deactivate",
    }
}

fn outlook(limit: &Outlook) -> String {
    let what = format!(
        "tenant {}: {} to {}",
        output::text(&limit.tenant),
        output::count(limit.accounts, "account"),
        verb(&limit.direction)
    );
    match &limit.reason {
        None => format!("{what}, within the limits of the safeguard"),
        Some(reason) => format!("{what}; a release of all of them trips the safeguard: {reason}"),
    }
}

impl ShowPlan {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let (settings, mut conn) = open_about(
            &self.config,
            env,
            self.source.as_ref().map(SourceName::as_str),
        )
        .await?;
        let filter = match &self.source {
            Some(source) => format!("plan, source {source}"),
            None => "plan".to_owned(),
        };
        record_read(&mut conn, env, &filter).await?;
        let report = PlanReport::of(&mut conn, &settings, self.source.as_ref()).await?;
        if self.listing.json {
            output::json(&report)?;
        } else {
            report.print(Table::of(&self.listing), usize::MAX, &[]);
            if !report.changes.is_empty() {
                output::note("next: `leaver enforce --source NAME` leaves shadow mode");
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
