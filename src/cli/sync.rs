//! `leaver sync`.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{anyhow, bail, ensure};
use clap::Args;
use serde::Serialize;
use sqlx::Connection;

use super::modes::note_shadow_modes;
use super::output::{Listing, TableColumns};
use super::progress::{Progress, Total};
use super::sources::{WrongUse, ensure_configured};
use super::{Config, could_not_be_done, exit_code, open_with, output, trips};
use crate::base::clock::{Clock, SystemClock};
use crate::config::{Environment, SecretScope};
use crate::connect::{ClientLimits, Way};
use crate::jobs::sync::{SyncMode, SyncReport, Syncer};
use crate::roster::sizes;
use crate::service;

/// Sync employees from the providers' APIs now
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver sync\n  leaver sync --source merge --full --json\n\nExit status: 1 a sync is incomplete, or a trip of the safeguard is open, 3 an API did not answer"
)]
pub(super) struct Sync {
    #[command(flatten)]
    config: Config,
    /// Only this source; default: every source with an API
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Read every employee, not only those changed since the last complete sync
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    listing: Listing<Columns>,
}

#[derive(Debug)]
struct Columns;

impl TableColumns for Columns {
    const COLUMNS: &'static [(&'static str, u8)] = &[
        ("source", 0),
        ("linked account", 4),
        ("sync", 0),
        ("employees", 3),
        ("outcome", 2),
        ("incomplete because", 1),
    ];
}

#[derive(Debug, Serialize)]
struct SyncLine {
    source: String,
    account: String,
    state: &'static str,
    full: bool,
    records: u64,
    outcome: serde_json::Map<String, serde_json::Value>,
    reason: Option<String>,
    /// How employees were read, where there are several ways.
    #[serde(skip_serializing_if = "Option::is_none")]
    read: Option<Read>,
    /// Open trips of the source's tenants: what they hold was not changed.
    trips: Vec<i64>,
}

#[derive(Debug, Serialize)]
struct Read {
    way: &'static str,
    /// The way in words.
    #[serde(skip)]
    how: &'static str,
    because: String,
}

impl Sync {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let scope = SecretScope::apis(self.source.as_deref())
            .with_database()
            .with_hash_key();
        ensure_configured(&self.config.read(env, &scope)?, self.source.as_deref())?;
        let (settings, mut conn) = open_with(&self.config, env, &scope).await?;
        if !self.listing.json {
            note_shadow_modes(&mut conn, &settings).await?;
        }
        let mut known = BTreeMap::new();
        for source in &settings.sources {
            let name = std::slice::from_ref(&source.name);
            let number = sizes::store::employees(&mut conn, name).await?;
            known.insert(source.name.clone(), number);
        }
        conn.close().await?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let mut companies = service::companies(&settings, &ClientLimits::default(), &clock)?;
        if let Some(name) = &self.source {
            companies.retain(|company| company.source.as_str() == name);
            if companies.is_empty() {
                bail!(WrongUse::new(format!(
                    "source {name} has no API; add `[sources.api]` to it, as in config/default.toml"
                )));
            }
        }
        ensure!(
            !companies.is_empty(),
            "no source has an API; add `[sources.api]`, as in config/default.toml"
        );
        let source = service::connect_source(&settings.database, env)?;
        let engine = Arc::new(service::engine(&settings, source, clock));
        let syncer = Syncer::new(Arc::clone(&engine));
        let mode = if self.full {
            SyncMode::Full
        } else {
            SyncMode::Incremental
        };
        let mut lines = vec![];
        let mut has_failed = false;
        for company in &companies {
            let source = company.source.as_str();
            // Linked accounts are read one after the other, so the roster's number fits only a source with one.
            let total = match (self.full, company.client.accounts().len()) {
                (true, 1) => Total::About(known.get(&company.source).copied().unwrap_or_default()),
                _ => Total::Unknown,
            };
            let progress = Progress::start(format!("sync {source}"), "employee", total);
            let counted = Mutex::new(BTreeMap::new());
            let on_read = |account: &str, records: u64| {
                let mut counted = counted.lock().unwrap_or_else(PoisonError::into_inner);
                counted.insert(account.to_owned(), records);
                progress.set(counted.values().sum());
            };
            let reports = syncer.sync(company, mode, &on_read).await;
            progress.finish();
            match reports.map_err(|reason| anyhow!(reason))? {
                None => lines.push(SyncLine::not_synced(
                    source,
                    "another process is syncing this source",
                )),
                Some(reports) if reports.is_empty() => lines.push(SyncLine::not_synced(
                    source,
                    "no linked account has a token; add one to `linked_accounts`",
                )),
                Some(reports) => {
                    has_failed |= reports.iter().any(|report| report.failed);
                    lines.extend(reports.into_iter().map(SyncLine::new));
                }
            }
        }
        let policies = &engine.policies;
        let of = |source: &str| policies.tenants_of(source);
        let tenants = lines.iter().flat_map(|line| of(&line.source)).collect();
        let mut conn = engine.pool.acquire().await?;
        let met = trips::met(&mut conn, &tenants).await?;
        for line in &mut lines {
            let tenants = of(&line.source);
            let own = met
                .iter()
                .filter(|open| tenants.contains(&open.trip.scope().tenant));
            line.trips = own.map(|open| open.trip.id).collect();
        }
        if self.listing.json {
            output::json(&lines)?;
        } else {
            print(&lines, output::Table::of(&self.listing));
            for line in &lines {
                if let Some(read) = &line.read {
                    output::note(&format!(
                        "{}: employees are read {}, since {}",
                        line.source, read.how, read.because
                    ));
                }
            }
        }
        trips::note(&met);
        if has_failed {
            return Ok(could_not_be_done());
        }
        let is_complete = lines.iter().all(|line| line.reason.is_none());
        Ok(exit_code(is_complete && met.is_empty()))
    }
}

impl SyncLine {
    fn not_synced(source: &str, reason: &str) -> Self {
        Self {
            source: source.to_owned(),
            account: String::new(),
            state: "incomplete",
            full: false,
            records: 0,
            outcome: serde_json::Map::new(),
            reason: Some(reason.to_owned()),
            read: None,
            trips: vec![],
        }
    }

    fn new(report: SyncReport) -> Self {
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
                .map(|(outcome, count)| (outcome.as_str().to_owned(), (*count).into()))
                .collect(),
            reason: report.incomplete,
            read: report.way.map(|read| Read {
                way: read.way.as_str(),
                how: match read.way {
                    Way::Report => "by a report",
                    Way::Dataset => "by the dataset",
                    Way::Single => "one by one",
                },
                because: read.because,
            }),
            trips: vec![],
        }
    }
}

fn print(lines: &[SyncLine], mut table: output::Table) {
    for line in lines {
        let outcome = output::outcomes(
            line.outcome
                .iter()
                .map(|(name, count)| (name.as_str(), count)),
        );
        let mode = if line.full { "full" } else { "incremental" };
        table.add_row([
            line.source.clone(),
            output::or_dash(Some(line.account.as_str())),
            format!("{mode}, {}", line.state),
            line.records.to_string(),
            output::or_dash(Some(outcome)),
            output::or_dash(line.reason.as_deref()),
        ]);
    }
    table.print();
}
