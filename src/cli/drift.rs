//! `leaver drift`: what the roster knows, against who has access now.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::anyhow;
use clap::Args;
use sqlx::Connection;

use super::{Config, Format, open, output};
use crate::base::clock::SystemClock;
use crate::config::Environment;
use crate::jobs::drift::{
    self, AccountWithoutEmployee, EmployeeWithoutAccount, SourceCompleteness, TerminatedWithAccess,
};
use crate::service;
use leaver_core::decision::policy::DriftMode;
use leaver_core::domain::AccountId;

/// So many rows of what is only information are shown to a person; --json has them all.
const SHOWN: usize = 20;

/// Compare what the roster knows with who has access now; exits 1 when somebody who left has access
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver drift\n  leaver drift --fix\n  leaver drift --json | jq '.terminated_with_access'"
)]
pub(super) struct Drift {
    #[command(flatten)]
    config: Config,
    /// End the access that should have ended, as drift.mode = "fix" would
    #[arg(long)]
    fix: bool,
    #[command(flatten)]
    format: Format,
}

impl Drift {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let (settings, conn) = open(&self.config, env).await?;
        conn.close().await?;
        let options = service::connect_options(&settings.database)?;
        let engine = Arc::new(service::engine(&settings, options, Arc::new(SystemClock)));
        let remedy = if self.fix {
            DriftMode::Fix
        } else {
            settings.drift.mode
        };
        let found = drift::compare(&engine, remedy)
            .await
            .map_err(|reason| anyhow!(reason))?;
        if self.format.json {
            output::json(&found)?;
        } else {
            print(&found, remedy);
        }
        Ok(if found.terminated_with_access.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

fn print(found: &drift::DriftReport, remedy: DriftMode) {
    if found.terminated_with_access.is_empty() {
        println!("nobody who has left has access");
    } else {
        println!(
            "{} who left and have access:",
            found.terminated_with_access.len()
        );
        println!("{}", still_on(&found.terminated_with_access));
        if remedy == DriftMode::Report {
            println!("end it: leaver drift --fix; or let the service do so: drift.mode = \"fix\"");
        }
    }
    if !found.fixed.is_empty() {
        println!("access ended now:\n{}", still_on(&found.fixed));
    }
    if !found.accepted.is_empty() {
        println!(
            "left and have access, as a person has said:\n{}",
            still_on(&found.accepted)
        );
    }
    println!(
        "\n{} active without an employee",
        counted(found.active_without_employee.len(), "account")
    );
    show(&found.active_without_employee, unclaimed);
    println!(
        "{} without an account",
        counted(found.unmatched.len(), "employee")
    );
    show(&found.unmatched, unmatched);
    println!("\nthis rests on:\n{}", reads(&found.reads));
    if !found.rests_on_complete_reads {
        println!(
            "not everybody has been read, so an account without an employee may be one that nobody has told of yet"
        );
    }
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

fn show<T>(rows: &[T], table: fn(&[T]) -> comfy_table::Table) {
    if rows.is_empty() {
        return;
    }
    println!("{}", table(&rows[..rows.len().min(SHOWN)]));
    if rows.len() > SHOWN {
        println!("... and {} more: --json has them all", rows.len() - SHOWN);
    }
}

fn or_dash(text: Option<&str>) -> String {
    text.unwrap_or("-").to_owned()
}

fn still_on(rows: &[TerminatedWithAccess]) -> comfy_table::Table {
    let mut table = output::table(&[
        "employee", "source", "tenant", "account", "e-mail", "why", "hold",
    ]);
    for row in rows {
        let why = match &row.failure {
            None => row.reason.clone(),
            Some(failure) => format!("{}; it could not be ended: {failure}", row.reason),
        };
        table.add_row([
            row.employee_id.to_string(),
            row.source.to_string(),
            row.tenant.to_string(),
            or_dash(row.account_id.as_ref().map(AccountId::as_str)),
            or_dash(row.work_email.as_deref()),
            why,
            row.hold.map_or_else(|| "-".to_owned(), |id| id.to_string()),
        ]);
    }
    table
}

fn unclaimed(rows: &[AccountWithoutEmployee]) -> comfy_table::Table {
    let mut table = output::table(&["account", "e-mail", "protected"]);
    for row in rows {
        let protected = if row.protected { "yes" } else { "" };
        table.add_row([
            row.account_id.to_string(),
            or_dash(row.email.as_deref()),
            protected.to_owned(),
        ]);
    }
    table
}

fn unmatched(rows: &[EmployeeWithoutAccount]) -> comfy_table::Table {
    let mut table = output::table(&["employee", "source", "tenant", "work e-mail", "left"]);
    for row in rows {
        let left = if row.left { "yes" } else { "" };
        table.add_row([
            row.employee_id.to_string(),
            row.source.to_string(),
            row.tenant.to_string(),
            or_dash(row.work_email.as_deref()),
            left.to_owned(),
        ]);
    }
    table
}

fn reads(rows: &[SourceCompleteness]) -> comfy_table::Table {
    let mut table = output::table(&["source", "account", "last complete read", "everybody", ""]);
    for row in rows {
        table.add_row([
            row.source.to_string(),
            row.account.clone(),
            output::moment_or_dash(row.last_complete_at),
            output::moment_or_dash(row.everybody_read_at),
            or_dash(row.reason.as_deref()),
        ]);
    }
    table
}
