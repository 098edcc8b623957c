//! `leaver drift`.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::anyhow;
use clap::Args;
use sqlx::Connection;

use super::progress::{Progress, Total};
use super::reads::record_read;
use super::{Config, Format, exit_code, open, output, trips};
use crate::base::clock::SystemClock;
use crate::config::Environment;
use crate::jobs::drift::compare_each;
use crate::reports::drift::{
    AccountWithoutEmployee, DriftReport, EmployeeWithoutAccount, Finding, SourceCompleteness,
    TerminatedWithAccess,
};
use crate::roster::sizes;
use crate::service;
use leaver_core::decision::policy::DriftMode;
use leaver_core::domain::AccountId;

/// Most rows of the two informational tables.
const MAX_ROWS: usize = 20;

/// Compare the roster with current access
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver drift\n  leaver drift --fix\n  leaver drift --json | jq '.terminated_with_access'\n  leaver drift --json --all | jq 'select(.group == \"active_without_employee\")'\n\nExit code 1: someone who left has access, or has no account that could be found; with --fix also: a trip of the safeguard is open"
)]
pub(super) struct Drift {
    #[command(flatten)]
    config: Config,
    /// End that access, as `drift.mode = "fix"` does
    #[arg(long)]
    fix: bool,
    /// Print every row as it is found, one JSON object per line with its `group`, and the counts last
    #[arg(long, requires = "json")]
    all: bool,
    #[command(flatten)]
    format: Format,
}

impl Drift {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let (settings, mut conn) = open(&self.config, env).await?;
        let filter = if self.fix { "drift --fix" } else { "drift" };
        record_read(&mut conn, env, filter).await?;
        let names = service::policies(&settings).names();
        let total = sizes::store::employees(&mut conn, &names).await?;
        conn.close().await?;
        let source = service::connect_source(&settings.database, env)?;
        let engine = Arc::new(service::engine(&settings, source, Arc::new(SystemClock)));
        let mode = if self.fix {
            DriftMode::Fix
        } else {
            settings.drift.mode
        };
        let mut unprinted = None;
        let mut on_found = |finding: &Finding| {
            if self.all
                && let Err(error) = output::json(finding)
            {
                unprinted.get_or_insert(error);
            }
        };
        let progress = Progress::start("drift", "employee", Total::Exactly(total));
        let on_page = |compared| progress.set(compared);
        let mut report = compare_each(&engine, mode, &mut on_found, &on_page)
            .await
            .map_err(|reason| anyhow!(reason))?;
        progress.finish();
        if let Some(error) = unprinted {
            return Err(error);
        }
        if self.all {
            report.clear_lists();
        }
        let mut met = vec![];
        if mode == DriftMode::Fix {
            let mut conn = engine.pool.acquire().await?;
            met = trips::met(&mut conn, &engine.policies.tenants()).await?;
        }
        if self.format.json {
            let mut shown = serde_json::to_value(&report)?;
            shown["trips"] = trips::ids(&met).into();
            output::json(&shown)?;
        } else {
            print(&report, mode);
        }
        trips::note(&met);
        Ok(exit_code(report.is_clean() && met.is_empty()))
    }
}

fn print(report: &DriftReport, mode: DriftMode) {
    let counts = &report.counts;
    let found = counts.terminated_with_access;
    if found == 0 {
        output::line!("terminated with access: none");
    } else {
        output::line!("terminated with access: {found}");
        output::line!("{}", terminated_table(&report.terminated_with_access));
        note_more(found, report.terminated_with_access.len());
        if report.unplanned_access() < found {
            output::note(
                "access of sources in shadow mode is not ended; `leaver plan` lists the planned changes",
            );
        }
        if mode == DriftMode::Report && report.unplanned_access() > 0 {
            output::note(
                "next: `leaver drift --fix` ends this access; with `drift.mode = \"fix\"` the service does so itself",
            );
        }
    }
    for (heading, count, rows) in [
        ("access ended now", counts.fixed, &report.fixed),
        ("held for a person's decision", counts.held, &report.held),
        (
            "access kept by a person's decision",
            counts.accepted,
            &report.accepted,
        ),
    ] {
        if count > 0 {
            output::line!("\n{heading}: {count}\n{}", terminated_table(rows));
            note_more(count, rows.len());
        }
    }
    print_first(
        "active accounts without an employee",
        counts.active_without_employee,
        &report.active_without_employee,
        accounts_table,
    );
    let (left, employed): (Vec<_>, Vec<_>) = report
        .unmatched
        .iter()
        .partition(|unmatched| unmatched.left);
    let unmatched = counts.leavers_without_account;
    output::line!("\nleavers without an account: {unmatched}");
    if !left.is_empty() {
        output::line!("{}", leavers_table(&left));
        note_more(unmatched, left.len());
        output::note(
            "an account under another e-mail still gives access; next: `leaver end` with the id of that account",
        );
    }
    print_first(
        "other employees without an account",
        counts.employees_without_account,
        &employed,
        employees_table,
    );
    output::line!(
        "\nsyncs behind this report:\n{}",
        sources_table(&report.reads)
    );
    if !report.rests_on_complete_reads {
        output::note(
            "not every source has been read in full, so an account without an employee may belong to one not read yet",
        );
    }
}

fn print_first<T>(heading: &str, count: usize, rows: &[T], table: fn(&[T]) -> output::Table) {
    output::line!("\n{heading}: {count}");
    let shown = rows.len().min(MAX_ROWS);
    if shown > 0 {
        output::line!("{}", table(&rows[..shown]));
    }
    note_more(count, shown);
}

/// Prints how many rows of a group are not shown.
fn note_more(count: usize, shown: usize) {
    if count > shown {
        output::note(&format!(
            "{} more rows; `leaver drift --json --all` prints all of them",
            count - shown
        ));
    }
}

fn terminated_table(rows: &[TerminatedWithAccess]) -> output::Table {
    let mut table = output::Table::new(&[
        "employee",
        "source",
        "tenant",
        "account",
        "work e-mail",
        "reason",
        "hold",
    ]);
    for row in rows {
        let reason = match (&row.failure, row.blocked_since) {
            (None, _) => row.reason.clone(),
            (Some(failure), None) => format!("{}; not fixed: {failure}", row.reason),
            (Some(failure), Some(since)) => {
                let since = output::time(since);
                format!("{}; blocked since {since}: {failure}", row.reason)
            }
        };
        table.add_row([
            row.employee_id.to_string(),
            row.source.to_string(),
            row.tenant.to_string(),
            output::or_dash(row.account_id.as_ref().map(AccountId::as_str)),
            output::or_dash(row.work_email.as_deref()),
            reason,
            output::or_dash(row.hold.map(|id| id.to_string())),
        ]);
    }
    table
}

fn accounts_table(rows: &[AccountWithoutEmployee]) -> output::Table {
    let mut table = output::Table::new(&["account", "tenant", "e-mail", "protected"]);
    for row in rows {
        table.add_row([
            row.account_id.to_string(),
            output::or_dash(row.tenant.as_deref()),
            output::or_dash(row.email.as_deref()),
            output::yes_or_no(row.protected).to_owned(),
        ]);
    }
    table
}

fn leavers_table(rows: &[&EmployeeWithoutAccount]) -> output::Table {
    let mut table =
        output::Table::new(&["employee", "source", "tenant", "e-mail looked for", "since"]);
    for row in rows {
        table.add_row([
            row.employee_id.to_string(),
            row.source.to_string(),
            row.tenant.to_string(),
            output::or_dash(row.work_email.as_deref()),
            output::time_or_dash(row.since),
        ]);
    }
    table
}

fn employees_table(rows: &[&EmployeeWithoutAccount]) -> output::Table {
    let mut table = output::Table::new(&["employee", "source", "tenant", "work e-mail"]);
    for row in rows {
        table.add_row([
            row.employee_id.to_string(),
            row.source.to_string(),
            row.tenant.to_string(),
            output::or_dash(row.work_email.as_deref()),
        ]);
    }
    table
}

fn sources_table(rows: &[SourceCompleteness]) -> output::Table {
    let mut table = output::Table::new(&[
        "source",
        "mode",
        "linked account",
        "last complete sync",
        "last full sync",
        "incomplete because",
    ]);
    for row in rows {
        table.add_row([
            row.source.to_string(),
            row.mode.as_str().to_owned(),
            output::or_dash(Some(row.account.as_str())),
            output::time_or_dash(row.last_complete_at),
            output::time_or_dash(row.everybody_read_at),
            output::or_dash(row.reason.as_deref()),
        ]);
    }
    table
}
