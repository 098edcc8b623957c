//! `leaver webhooks gaps`.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use sqlx::Connection;

use super::super::output::{Listing, TableColumns};
use super::super::progress::{Progress, Total};
use super::super::{could_not_be_done, exit_code, ids, open_with, output};
use super::{WebhooksTarget, at};
use crate::base::clock::SystemClock;
use crate::config::Environment;
use crate::connect::WebhookError;
use crate::jobs::sync::gaps::GapReport;
use crate::jobs::sync::{GapsError, SyncReport, Syncer};
use crate::service;
use leaver_core::domain::EmployeeId;

/// Compare BambooHR's delivery logs with received deliveries and read the missing employees
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver webhooks gaps\n  leaver webhooks gaps --source bamboohr --webhook 7 --json\n\nExit status: 1 a delivery is missing, or a log cannot be read, 3 BambooHR did not answer"
)]
pub(super) struct Gaps {
    #[command(flatten)]
    target: WebhooksTarget,
    /// Only this webhook, whatever its URL; default: all that post to this source
    #[arg(long, value_name = "ID", value_parser = ids::webhook)]
    webhook: Option<String>,
    #[command(flatten)]
    listing: Listing<Columns>,
}

#[derive(Debug)]
struct Columns;

impl TableColumns for Columns {
    const COLUMNS: &'static [(&'static str, u8)] = &[
        ("webhook", 0),
        ("sent", 0),
        ("status", 0),
        ("at BambooHR", 2),
        ("employees", 1),
    ];
}

impl Gaps {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let scope = self.target.scope().with_database().with_hash_key();
        self.target.ensure_configured(env, &scope)?;
        let (settings, conn) = open_with(&self.target.config, env, &scope).await?;
        conn.close().await?;
        let (source, _) = self.target.source_in(&settings)?;
        let database = service::connect_source(&settings.database, env)?;
        let engine = Arc::new(service::engine(&settings, database, Arc::new(SystemClock)));
        let syncer = Syncer::new(engine);
        let name = format!("gaps {}", source.source);
        let progress = Progress::start(name, "employee", Total::Unknown);
        let on_read = |_: &str, read: u64| progress.set(read);
        let report = syncer
            .gaps(&source, self.webhook.as_deref(), &on_read)
            .await
            .map_err(|reason| match reason {
                GapsError::List(error) => at(&source)(error),
                reason => reason.into(),
            })?;
        if report.sync.is_some() {
            progress.finish();
        } else {
            drop(progress);
        }
        if self.listing.json {
            output::json(&as_json(&report))?;
        } else {
            print(&report, output::Table::of(&self.listing));
        }
        let is_read_failed = report.sync.as_ref().is_some_and(|read| read.failed);
        let is_unanswered = |error: &WebhookError| matches!(error, WebhookError::Read(error) if error.is_without_answer());
        let mut errors = report
            .webhooks
            .iter()
            .filter_map(|hook| hook.log_error.as_ref());
        if is_read_failed || errors.any(is_unanswered) {
            return Ok(could_not_be_done());
        }
        let is_complete = report
            .webhooks
            .iter()
            .all(|hook| hook.log_error.is_none() && hook.gaps.is_empty());
        Ok(exit_code(is_complete))
    }
}

fn as_json(report: &GapReport) -> serde_json::Value {
    let hooks: Vec<_> = report
        .webhooks
        .iter()
        .map(|hook| {
            serde_json::json!({
                "webhook": hook.id,
                "entries": hook.entries,
                "log_truncated": hook.is_log_truncated,
                "reason": hook.log_error.as_ref().map(ToString::to_string),
            })
        })
        .collect();
    let gaps: Vec<_> = report
        .webhooks
        .iter()
        .flat_map(|hook| hook.gaps.iter().map(move |gap| (hook, gap)))
        .map(|(hook, gap)| {
            serde_json::json!({
                "webhook": hook.id,
                "sent_at": gap.sent_at,
                "status": gap.status,
                "retry_state": gap.retry_state.as_str(),
                "employees": gap.employees,
            })
        })
        .collect();
    let read = report.sync.as_ref().map(|read| {
        serde_json::json!({
            "records": read.records,
            "outcome": outcome(read),
            "reason": read.incomplete,
        })
    });
    serde_json::json!({ "webhooks": hooks, "gaps": gaps, "sync": read })
}

fn outcome(read: &SyncReport) -> serde_json::Map<String, serde_json::Value> {
    read.outcomes
        .iter()
        .map(|(outcome, count)| (outcome.as_str().to_owned(), (*count).into()))
        .collect()
}

fn print(report: &GapReport, mut table: output::Table) {
    for hook in &report.webhooks {
        let id = &hook.id;
        match &hook.log_error {
            Some(error) => {
                output::remark!("webhook {id}: cannot read its log: {}", output::text(error));
            }
            None => output::remark!(
                "webhook {id}: {} deliveries in its log, {} not received{}",
                hook.entries,
                hook.gaps.len(),
                if hook.is_log_truncated {
                    "; the log is full, so older deliveries were not compared"
                } else {
                    ""
                }
            ),
        }
    }
    let Some(read) = &report.sync else {
        return table.print_empty("no delivery is missing");
    };
    for hook in &report.webhooks {
        for gap in &hook.gaps {
            let ids: Vec<&str> = gap.employees.iter().map(EmployeeId::as_str).collect();
            table.add_row([
                hook.id.clone(),
                output::time_or_dash(gap.sent_at),
                gap.status.clone(),
                gap.retry_state.as_str().replace('_', " "),
                ids.join(", "),
            ]);
        }
    }
    table.print();
    let counts = read.outcomes.iter();
    let outcomes = output::outcomes(counts.map(|(outcome, count)| (outcome.as_str(), count)));
    output::remark!(
        "{} employees read over the API: {}",
        read.records,
        if outcomes.is_empty() {
            "no outcome"
        } else {
            &outcomes
        }
    );
    if let Some(cause) = &read.incomplete {
        output::remark!("incomplete: {}", output::text(cause));
    }
}
