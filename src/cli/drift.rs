//! `leaver drift`.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::anyhow;
use clap::Args;
use sqlx::Connection;

use super::drift_rows::{Columns, fill};
use super::output::{Listing, Table};
use super::progress::{Progress, Total};
use super::reads::record_read;
use super::{Config, exit_code, open, output, trips};
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
    listing: Listing<Columns>,
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
        if self.listing.json {
            let mut shown = serde_json::to_value(&report)?;
            shown["trips"] = trips::ids(&met).into();
            output::json(&shown)?;
        } else {
            let is_flat = !output::is_terminal() || self.listing.is_given();
            print(&report, mode, is_flat.then(|| Table::of(&self.listing)));
        }
        trips::note(&met);
        Ok(exit_code(report.is_clean() && met.is_empty()))
    }
}

/// Prints the groups: each with its own table on a terminal, or all in one table, with a remark for each group.
fn print(report: &DriftReport, mode: DriftMode, flat: Option<Table>) {
    let has_tables = flat.is_none();
    if let Some(table) = flat {
        fill(table, report).print();
    }
    let show = |heading: &str, count: usize, table: Table, shown: usize| {
        output::remark!(
            "\n{heading}: {}",
            if count == 0 {
                "none".to_owned()
            } else {
                count.to_string()
            }
        );
        if has_tables && shown > 0 {
            table.print();
        }
        note_more(count, shown);
    };
    let counts = &report.counts;
    let found = counts.terminated_with_access;
    let rows = &report.terminated_with_access;
    show(
        "terminated with access",
        found,
        terminated_table(rows),
        rows.len(),
    );
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
            show(heading, count, terminated_table(rows), rows.len());
        }
    }
    let most = if has_tables { MAX_ROWS } else { usize::MAX };
    let (count, rows) = (
        counts.active_without_employee,
        &report.active_without_employee,
    );
    let rows = &rows[..rows.len().min(most)];
    show(
        "active accounts without an employee",
        count,
        accounts_table(rows),
        rows.len(),
    );
    let (left, employed): (Vec<_>, Vec<_>) = report
        .unmatched
        .iter()
        .partition(|unmatched| unmatched.left);
    let count = counts.leavers_without_account;
    show(
        "leavers without an account",
        count,
        leavers_table(&left),
        left.len(),
    );
    if !left.is_empty() {
        output::note(
            "an account under another e-mail still gives access; next: `leaver end` with the id of that account",
        );
    }
    let count = counts.employees_without_account;
    let rows = &employed[..employed.len().min(most)];
    show(
        "other employees without an account",
        count,
        employees_table(rows),
        rows.len(),
    );
    let reads = &report.reads;
    show(
        "syncs behind this report",
        reads.len(),
        sources_table(reads),
        reads.len(),
    );
    if !report.rests_on_complete_reads {
        output::note(
            "not every source has been read in full, so an account without an employee may belong to one not read yet",
        );
    }
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

/// Returns the reason, and why the access is not ended.
pub(super) fn reason(row: &TerminatedWithAccess) -> String {
    match (&row.failure, row.blocked_since) {
        (None, _) => row.reason.clone(),
        (Some(failure), None) => format!("{}; not fixed: {failure}", row.reason),
        (Some(failure), Some(since)) => {
            let since = output::time(since);
            format!("{}; blocked since {since}: {failure}", row.reason)
        }
    }
}

fn terminated_table(rows: &[TerminatedWithAccess]) -> Table {
    let mut table = Table::with([
        ("employee", 0),
        ("source", 5),
        ("tenant", 6),
        ("account", 1),
        ("work e-mail", 2),
        ("reason", 4),
        ("hold", 3),
    ]);
    for row in rows {
        let reason = reason(row);
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

fn accounts_table(rows: &[AccountWithoutEmployee]) -> Table {
    let mut table = Table::new(&["account", "tenant", "e-mail", "protected"]);
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

fn leavers_table(rows: &[&EmployeeWithoutAccount]) -> Table {
    let mut table = Table::new(&["employee", "source", "tenant", "e-mail looked for", "since"]);
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

fn employees_table(rows: &[&EmployeeWithoutAccount]) -> Table {
    let mut table = Table::new(&["employee", "source", "tenant", "work e-mail"]);
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

fn sources_table(rows: &[SourceCompleteness]) -> Table {
    let mut table = Table::new(&[
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
