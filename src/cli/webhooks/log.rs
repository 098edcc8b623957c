//! `leaver webhooks log`.

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::super::{Format, ids, output};
use super::{WebhooksTarget, at};
use crate::config::Environment;
use leaver_core::domain::EmployeeId;
use leaver_core::providers::LogTime;

/// Show a webhook's delivery log at BambooHR: 14 days, at most 200 deliveries
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  leaver webhooks log 7\n  leaver webhooks log 7 --json")]
pub(super) struct Log {
    #[command(flatten)]
    target: WebhooksTarget,
    /// Webhook ID, from `leaver webhooks list`
    #[arg(value_name = "ID", value_parser = ids::webhook)]
    id: String,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Serialize)]
struct LogRow {
    last_attempted: String,
    last_success: String,
    status: String,
    employee_ids: Vec<EmployeeId>,
}

impl Log {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let (source, api) = self.target.source(env)?;
        let entries: Vec<LogRow> = api
            .webhook_log(&self.id)
            .await
            .map_err(at(&source))?
            .into_iter()
            .map(|entry| LogRow {
                last_attempted: log_time(entry.last_attempted),
                last_success: log_time(entry.last_success),
                status: entry.status,
                employee_ids: entry.employee_ids,
            })
            .collect();
        if self.format.json {
            output::json(&entries)?;
        } else if entries.is_empty() {
            output::note("no deliveries in the last 14 days");
        } else {
            print(entries);
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print(entries: Vec<LogRow>) {
    let mut table = output::Table::new(&["last attempt", "last success", "status", "employees"]);
    for entry in entries {
        let ids: Vec<&str> = entry.employee_ids.iter().map(EmployeeId::as_str).collect();
        table.add_row([
            output::or_dash(Some(entry.last_attempted)),
            output::or_dash(Some(entry.last_success)),
            output::or_dash(Some(entry.status)),
            output::or_dash(Some(ids.join(", "))),
        ]);
    }
    output::line!("{table}");
}

/// Returns a time of the log, or the text that BambooHR has in its place.
fn log_time(time: LogTime) -> String {
    match time {
        LogTime::At(at) => output::time(at),
        LogTime::Text(text) => text,
    }
}
