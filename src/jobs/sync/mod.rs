//! Reads a source's API for what webhooks lost: everybody who changed since the last complete read, or
//! everybody. One replica at a time per source; whatever was not read concludes nothing.

mod collect;
pub mod gaps;
pub mod pending_reads;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tracing::{info, warn};

use self::collect::SyncRun;
use crate::connect::{BambooHrApi, LinkedAccount, MergeApi};
use crate::db::advisory_lock::AdvisoryLock;
use crate::db::error::error_chain;
use crate::engine::Engine;
use crate::engine::execute::Outcome;
use crate::jobs::runner::{Job, Next};
use crate::roster::sync_state::{self, SyncState};
use leaver_core::domain::{SourceName, Tenant};

/// A read asks for changes since so long before the last complete one began, since a provider may show a
/// change late.
const OVERLAP: TimeDelta = TimeDelta::minutes(10);
/// So often each replica looks whether a read is due, so that it takes over when another one dies.
const LOOK: Duration = Duration::from_secs(20);

/// A source that can be read.
pub struct SyncSource {
    /// Its name.
    pub source: SourceName,
    /// Where it is read.
    pub api: ProviderClient,
    /// How often to ask what changed.
    pub poll: Duration,
    /// How often to read everybody.
    pub full_sweep: Duration,
}

/// Where a source is read.
pub enum ProviderClient {
    /// One company's BambooHR.
    BambooHr(BambooHrApi, Tenant),
    /// The linked accounts that have a token.
    Merge(MergeApi, Vec<LinkedAccount>),
}

/// Which read is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncMode {
    /// Only when one is due, and everybody when that is due.
    IfDue,
    /// Now, and whatever changed.
    Changes,
    /// Now, and everybody.
    Full,
}

/// Reads one source whenever a read is due.
pub struct SyncJob {
    /// Reads it.
    pub syncer: Arc<Syncer>,
    /// What is read.
    pub source: Arc<SyncSource>,
}

impl Job for SyncJob {
    const NAME: &'static str = "sync";
    const DROP_ON_STOP: bool = true;

    async fn tick(&mut self) -> Next {
        let source = &self.source;
        let synced = self.syncer.sync(source, SyncMode::IfDue, &|_, _| {}).await;
        if let Err(reason) = synced {
            warn!(source = %source.source, reason, "sync.run: cannot read now; will try again");
        }
        Next::Poll(LOOK.min(source.poll))
    }
}

/// How the read of one source, or of one linked account, went.
#[derive(Debug)]
pub struct SyncReport {
    /// The source.
    pub source: SourceName,
    /// The linked account; empty at BambooHR.
    pub account: String,
    /// Whether everybody was asked for.
    pub full: bool,
    /// How many records came.
    pub records: u64,
    /// How many employees ended how.
    pub outcomes: BTreeMap<Outcome, usize>,
    /// Why it is incomplete; `None` when it is complete.
    pub incomplete: Option<String>,
}

/// Reads sources over the worker's database and rules.
pub struct Syncer {
    pub(crate) worker: Arc<Engine>,
}

impl Syncer {
    /// Over this worker's database and rules.
    #[must_use]
    pub fn new(worker: Arc<Engine>) -> Self {
        Self { worker }
    }

    /// Reads a source once; `None` when another replica is at it. `progress` is told of the account and how
    /// many records came so far.
    ///
    /// # Errors
    /// What is wrong on our side, in words; then nothing is said of the read.
    pub async fn sync(
        &self,
        company: &SyncSource,
        wish: SyncMode,
        progress: &(dyn Fn(&str, u64) + Sync),
    ) -> Result<Option<Vec<SyncReport>>, String> {
        let source = &company.source;
        let said = |error: sqlx::Error| error_chain(&error);
        let turn = AdvisoryLock::try_acquire(&self.worker.pool, &format!("reads {source}")).await;
        let Some(mut turn) = turn.map_err(said)? else {
            return Ok(None);
        };
        let pool = &self.worker.pool;
        let listed = sync_state::store::list(&mut turn, std::slice::from_ref(source));
        let known = pool.with_silence_timeout(listed).await.map_err(said)?;
        let accounts: Vec<Option<&LinkedAccount>> = match &company.api {
            ProviderClient::BambooHr(..) => vec![None],
            ProviderClient::Merge(_, accounts) => accounts.iter().map(Some).collect(),
        };
        let mut reports = vec![];
        for account in accounts {
            let id = account.map_or("", |account| account.id.as_str());
            let before = known.iter().find(|reads| reads.linked_account_id == id);
            let began = self.worker.clock.now();
            if wish == SyncMode::IfDue
                && before.is_some_and(|b| !is_due(b.last_started_at, company.poll, began))
            {
                continue;
            }
            let full_is_due = before
                .and_then(|before| before.last_full_started_at)
                .is_none_or(|at| is_due(at, company.full_sweep, began));
            let after = before
                .and_then(|before| before.last_complete_started_at)
                .filter(|_| wish != SyncMode::Full && !(wish == SyncMode::IfDue && full_is_due))
                .and_then(|at| at.checked_sub_signed(OVERLAP));
            let mut gathered = SyncRun::new(&self.worker, source, progress, id);
            let read = match (&company.api, account) {
                (ProviderClient::Merge(api, _), Some(account)) => {
                    collect::merge(&mut gathered, api, account, after).await
                }
                (ProviderClient::BambooHr(api, tenant), _) => {
                    collect::bamboohr(&mut gathered, api, tenant, after).await
                }
                (ProviderClient::Merge(..), None) => Ok(()),
            };
            let report = SyncReport {
                source: source.clone(),
                account: id.to_owned(),
                full: after.is_none(),
                records: gathered.records,
                incomplete: read.err().or_else(|| gathered.doubts()),
                outcomes: gathered.outcomes,
            };
            let note = self.noted(&report, before, began);
            let saved = sync_state::store::save(&mut turn, &note);
            pool.with_silence_timeout(saved).await.map_err(said)?;
            log(&report);
            reports.push(report);
        }
        turn.release().await.map_err(said)?;
        Ok(Some(reports))
    }

    /// What is written down of a read: only a complete one moves the time since when to ask.
    fn noted(
        &self,
        report: &SyncReport,
        before: Option<&SyncState>,
        began: DateTime<Utc>,
    ) -> SyncState {
        let complete = report.incomplete.is_none();
        let earlier = |time: fn(&SyncState) -> Option<DateTime<Utc>>| before.and_then(time);
        let now = self.worker.clock.now();
        SyncState {
            source: report.source.clone(),
            linked_account_id: report.account.clone(),
            last_complete_started_at: complete
                .then_some(began)
                .or_else(|| earlier(|b| b.last_complete_started_at)),
            last_full_started_at: (complete && report.full)
                .then_some(began)
                .or_else(|| earlier(|b| b.last_full_started_at)),
            last_started_at: began,
            last_completed_at: complete
                .then_some(now)
                .or_else(|| earlier(|b| b.last_completed_at)),
            incomplete: report.incomplete.clone(),
            employees: i64::try_from(report.records).unwrap_or(i64::MAX),
        }
    }
}

fn is_due(last: DateTime<Utc>, every: Duration, now: DateTime<Utc>) -> bool {
    TimeDelta::from_std(every)
        .ok()
        .and_then(|every| last.checked_add_signed(every))
        .is_some_and(|at| at <= now)
}

fn log(report: &SyncReport) {
    let (source, account, records) = (&report.source, &report.account, report.records);
    let full = report.full;
    let outcome = report
        .outcomes
        .iter()
        .map(|(outcome, count)| format!("{}={count}", outcome.as_str()))
        .collect::<Vec<_>>()
        .join(" ");
    match &report.incomplete {
        None => info!(%source, account, full, records, outcome, "sync.read: complete"),
        Some(cause) => {
            warn!(%source, account, full, records, outcome, cause, "sync.read: incomplete; nothing is concluded from what is not there");
        }
    }
}
