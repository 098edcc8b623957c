//! `leaver sync`: reads the providers' APIs now.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{anyhow, ensure};
use clap::Args;
use serde::Serialize;
use sqlx::Connection;

use super::{Config, Format, open, output};
use crate::base::clock::{Clock, SystemClock};
use crate::config::Environment;
use crate::connect::ClientLimits;
use crate::jobs::sync::{SyncMode, SyncReport, Syncer};
use crate::service;

/// Read the providers' APIs now, for what webhooks lost; exits 1 when a read was not complete
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  leaver sync\n  leaver sync --source merge --full --json")]
pub(super) struct Sync {
    #[command(flatten)]
    config: Config,
    /// Only this source; else every source that has an api
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Read everybody, and not only who changed since the last complete read
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Serialize)]
struct Line {
    source: String,
    account: String,
    state: &'static str,
    full: bool,
    records: u64,
    outcome: serde_json::Map<String, serde_json::Value>,
    reason: Option<String>,
}

impl Sync {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let (settings, conn) = open(&self.config, env).await?;
        conn.close().await?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let mut companies = service::companies(&settings, &ClientLimits::default(), &clock)?;
        if let Some(name) = &self.source {
            companies.retain(|company| company.source.as_str() == name);
            ensure!(
                !companies.is_empty(),
                "no source named {name} with an api is configured"
            );
        }
        ensure!(
            !companies.is_empty(),
            "no source has an api to read: add [sources.api] (config/default.toml shows how)"
        );
        let options = service::connect_options(&settings.database)?;
        let engine = Arc::new(service::engine(&settings, options, clock));
        let syncer = Syncer::new(engine);
        let wish = if self.full {
            SyncMode::Full
        } else {
            SyncMode::Incremental
        };
        let on_terminal = std::io::stderr().is_terminal();
        let mut lines = vec![];
        for company in &companies {
            let source = company.source.as_str();
            let progress = |account: &str, records: u64| {
                if on_terminal {
                    let mut err = std::io::stderr();
                    drop(write!(err, "\r{source} {account}: {records} records"));
                }
            };
            let reports = syncer.sync(company, wish, &progress).await;
            if on_terminal {
                drop(writeln!(std::io::stderr()));
            }
            match reports.map_err(|reason| anyhow!(reason))? {
                None => lines.push(Line::unread(
                    source,
                    "somebody else is reading this source now",
                )),
                Some(reports) if reports.is_empty() => lines.push(Line::unread(
                    source,
                    "no linked account has a token (linked_accounts)",
                )),
                Some(reports) => lines.extend(reports.into_iter().map(Line::of)),
            }
        }
        if self.format.json {
            output::json(&lines)?;
        } else {
            print(&lines);
        }
        Ok(if lines.iter().all(|line| line.reason.is_none()) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

impl Line {
    fn unread(source: &str, reason: &str) -> Self {
        Self {
            source: source.to_owned(),
            account: String::new(),
            state: "incomplete",
            full: false,
            records: 0,
            outcome: serde_json::Map::new(),
            reason: Some(reason.to_owned()),
        }
    }

    fn of(report: SyncReport) -> Self {
        Self {
            source: report.source.to_string(),
            account: report.account,
            state: if report.incomplete.is_none() {
                "complete"
            } else {
                "incomplete"
            },
            full: report.full,
            records: report.records,
            outcome: report
                .outcomes
                .iter()
                .map(|(ending, count)| (ending.as_str().to_owned(), (*count).into()))
                .collect(),
            reason: report.incomplete,
        }
    }
}

fn print(lines: &[Line]) {
    let mut table = output::table(&["source", "account", "read", "records", "outcome", "reason"]);
    for line in lines {
        let outcome: Vec<String> = line
            .outcome
            .iter()
            .map(|(ending, count)| format!("{count} {ending}"))
            .collect();
        let what = if line.full { "everybody" } else { "changes" };
        table.add_row([
            line.source.clone(),
            line.account.clone(),
            format!("{what}, {}", line.state),
            line.records.to_string(),
            outcome.join(", "),
            line.reason.clone().unwrap_or_default(),
        ]);
    }
    println!("{table}");
}
