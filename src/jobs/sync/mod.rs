//! Reads a source's API for changes that webhooks lost: who changed since the last complete read, or everybody. One
//! replica at a time per source. No conclusion follows from records that were not read.

mod collect;
mod error;
pub mod gaps;
mod failed_read;
mod problems;
pub mod pending_reads;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use tracing::{info, warn};

use self::collect::SyncRun;
pub use self::error::GapsError;
pub(crate) use self::error::SyncError;
use crate::connect::{EmployeeBatches, ProviderClient, ReadWay, Selection, SyncedAccount};
use crate::db::advisory_lock::AdvisoryLock;
use crate::engine::Engine;
use crate::engine::execute::Outcome;
use crate::jobs::runner::{Job, Next};
use crate::jobs::traces::TracedRead;
use crate::roster::sync_state::{self, SyncState};
use crate::roster::{confirmations, missing};
use leaver_core::domain::SourceName;

/// How far an incremental read reaches back before the start of the last complete one.
// A provider may list a change late.
const OVERLAP: TimeDelta = TimeDelta::minutes(10);
/// How often each replica checks whether a read is due, so that it takes over when another one dies.
const POLL_INTERVAL: Duration = Duration::from_mins(1);
/// Employees whose termination date is at most this far away are read again, since no change is reported on that day.
const NEAR_TERMINATION: TimeDelta = TimeDelta::days(2);
/// Announced ends are known this far ahead.
const ANY_TIME: TimeDelta = TimeDelta::days(36_500);

/// A source whose API can be read.
pub struct SyncSource {
    /// Its name.
    pub source: SourceName,
    /// URL at which providers reach this service for it; `None` if `server.public_url` is not set.
    pub webhook_url: Option<String>,
    /// The client of its API.
    pub client: ProviderClient,
    /// The time between two reads of what changed.
    pub sync_interval: Duration,
    /// The time between two reads of everybody.
    pub full_sync_interval: Duration,
}

/// Confirmations are kept for this time at least, and until two more reads of everybody are due. No event arrives so late.
const CONFIRMATIONS_KEPT: TimeDelta = TimeDelta::days(7);

/// Which read is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncMode {
    /// Reads only if a read is due, and everybody if a full read is due.
    IfDue,
    /// Reads now what changed.
    Incremental,
    /// Reads everybody now.
    Full,
}

/// Reads one source whenever a read is due.
pub(crate) struct SyncJob {
    /// Reads it.
    pub syncer: Arc<Syncer>,
    /// The source.
    pub source: Arc<SyncSource>,
}

impl Job for SyncJob {
    const NAME: &'static str = "sync";
    const DROP_ON_STOP: bool = true;

    async fn tick(&mut self) -> Next {
        let source = &self.source;
        let engine = &self.syncer.engine;
        let now = engine.clock.now();
        let traced = TracedRead::begin(&engine.traces, "sync", None, now);
        let sync = self.syncer.sync(source, SyncMode::IfDue, &|_, _| {});
        let synced = TracedRead::run(traced.as_ref(), sync).await;
        let reports = synced.as_ref().ok().and_then(Option::as_deref);
        if let (Some(traced), Some([_, ..])) = (traced, reports) {
            let is_incomplete = reports
                .is_some_and(|reports| reports.iter().any(|report| report.incomplete.is_some()));
            traced.end(&source.source, is_incomplete, engine.clock.now());
        }
        if let Err(error) = synced {
            warn!(source = %source.source, %error, "sync.run: cannot read now; will retry");
        }
        Next::Poll(POLL_INTERVAL.min(source.sync_interval))
    }
}

/// The result of reading one account.
#[derive(Debug)]
pub struct SyncReport {
    /// The source.
    pub source: SourceName,
    /// Merge's linked account; empty for BambooHR.
    pub account: String,
    /// True if everybody was requested.
    pub full: bool,
    /// The number of records received.
    pub records: u64,
    /// The number of employees per outcome.
    pub outcomes: BTreeMap<Outcome, usize>,
    /// Why the read is incomplete; `None` if it is complete.
    pub incomplete: Option<String>,
    /// True if the API does not accept the credentials, or not for this read.
    pub are_credentials_refused: bool,
    /// True if the read could not be done: the API did not answer at all, or our database failed.
    pub failed: bool,
    /// The way in which employees were read, by this sync or the last one that met any, where there are several ways.
    pub way: Option<ReadWay>,
}

/// Reads sources and applies what it read through the engine.
pub struct Syncer {
    engine: Arc<Engine>,
}

impl Syncer {
    /// Creates a syncer over this engine.
    #[must_use]
    pub fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }

    /// Reads a source once. Returns one report per account that was read, or `None` if another replica is reading the
    /// source. Calls `progress` with the account and the number of records applied so far.
    ///
    /// # Errors
    /// [`SyncError`] if our database fails. A failure of the API is in the report instead.
    pub async fn sync(
        &self,
        company: &SyncSource,
        mode: SyncMode,
        progress: &(dyn Fn(&str, u64) + Sync),
    ) -> Result<Option<Vec<SyncReport>>, SyncError> {
        let source = &company.source;
        let pool = &self.engine.pool;
        if mode == SyncMode::IfDue && !self.is_any_due(company).await? {
            return Ok(Some(vec![]));
        }
        let lock = AdvisoryLock::try_acquire(pool, &format!("reads {source}")).await?;
        let Some(mut lock) = lock else {
            return Ok(None);
        };
        let listed = sync_state::store::list(&mut lock, std::slice::from_ref(source));
        let known = pool.with_silence_timeout(listed).await?;
        let mut reports = vec![];
        for account in company.client.accounts() {
            let previous = known
                .iter()
                .find(|state| state.linked_account_id == account.id());
            let began = self.engine.clock.now();
            if mode == SyncMode::IfDue && !is_read_due(previous, company.sync_interval, began) {
                continue;
            }
            let complete_until = previous
                .and_then(|previous| previous.last_complete_started_at)
                .and_then(|at| at.checked_sub_signed(OVERLAP));
            let since = since(company, mode, previous, began);
            let mut run = SyncRun::new(&self.engine, source, account.id(), progress);
            let selection = Selection {
                since,
                complete_until,
                ..Selection::default()
            };
            let result = match self.batches(source, account, selection, began).await {
                Ok(batches) => run.apply_all(batches).await,
                Err(error) => Err(error),
            };
            let read = run.take_ids();
            let mut report = run.report(since.is_none(), &company.client.host(), result);
            report.way = account.read_way();
            let state = self.next_state(&report, previous, began);
            let is_refused = report.are_credentials_refused;
            let saved = problems::save(&self.engine, &mut lock, &state, is_refused);
            let recorded = pool.with_silence_timeout(saved).await?;
            self.engine.notify_jobs(false, false, recorded);
            // An empty list is no fact about anybody.
            if report.full && report.incomplete.is_none() && !read.is_empty() {
                let id = &report.account;
                let marked = missing::store::mark(&mut lock, source, id, &read, began);
                pool.with_silence_timeout(marked).await?;
            }
            self.forget_confirmations(&mut lock, company, &report, began)
                .await?;
            log(&report, self.engine.clock.now() - began);
            reports.push(report);
        }
        lock.release().await?;
        Ok(Some(reports))
    }

    /// Deletes confirmations that are too old to matter. A complete read deletes no younger ones: an employee of whom it brought
    /// nothing new may have no other.
    async fn forget_confirmations(
        &self,
        conn: &mut PgConnection,
        company: &SyncSource,
        report: &SyncReport,
        began: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        let two_reads = TimeDelta::from_std(company.full_sync_interval * 2);
        let kept = two_reads.map_or(TimeDelta::MAX, |two| two.max(CONFIRMATIONS_KEPT));
        let Some(before) = began.checked_sub_signed(kept) else {
            return Ok(());
        };
        let (source, account) = (&report.source, &report.account);
        let deleted = confirmations::store::delete_before(conn, source, account, before);
        self.engine.pool.with_silence_timeout(deleted).await?;
        Ok(())
    }

    /// Returns true if a read is due, without a connection and a lock of its own.
    async fn is_any_due(&self, company: &SyncSource) -> Result<bool, SyncError> {
        let pool = &self.engine.pool;
        let listed = async {
            let mut conn = pool.acquire().await?;
            sync_state::store::list(&mut conn, std::slice::from_ref(&company.source)).await
        };
        let known: Result<_, sqlx::Error> = pool.with_silence_timeout(listed).await;
        let (known, now) = (known?, self.engine.clock.now());
        Ok(company.client.accounts().into_iter().any(|account| {
            let previous = known
                .iter()
                .find(|state| state.linked_account_id == account.id());
            is_read_due(previous, company.sync_interval, now)
        }))
    }

    async fn batches<'a>(
        &self,
        source: &SourceName,
        account: SyncedAccount<'a>,
        selection: Selection,
        now: DateTime<Utc>,
    ) -> Result<EmployeeBatches<'a>, SyncError> {
        if !account.rereads_terminations() {
            return Ok(account.employees(selection));
        }
        let from = (now - NEAR_TERMINATION).date_naive();
        let until = (now + NEAR_TERMINATION).date_naive();
        let later = (now + ANY_TIME).date_naive();
        let is_full = selection.since.is_none();
        let pool = &self.engine.pool;
        let found = async {
            let mut conn = pool.acquire().await?;
            let also = sync_state::store::find_leaving(&mut conn, source, from, until).await?;
            let announced = if is_full {
                sync_state::store::find_leaving(&mut conn, source, from, later).await?
            } else {
                vec![]
            };
            Ok((also, announced))
        };
        let found: Result<_, sqlx::Error> = pool.with_silence_timeout(found).await;
        let (also, announced) = found?;
        Ok(account.employees(Selection {
            also,
            announced,
            ..selection
        }))
    }

    /// Returns the state to store. Only a complete read moves the start of the next incremental one.
    fn next_state(
        &self,
        report: &SyncReport,
        previous: Option<&SyncState>,
        began: DateTime<Utc>,
    ) -> SyncState {
        let complete = report.incomplete.is_none();
        let earlier = |time: fn(&SyncState) -> Option<DateTime<Utc>>| previous.and_then(time);
        let now = self.engine.clock.now();
        SyncState {
            source: report.source.clone(),
            linked_account_id: report.account.clone(),
            last_complete_started_at: complete
                .then_some(began)
                .or_else(|| earlier(|p| p.last_complete_started_at)),
            last_full_started_at: (complete && report.full)
                .then_some(began)
                .or_else(|| earlier(|p| p.last_full_started_at)),
            last_started_at: began,
            last_completed_at: complete
                .then_some(now)
                .or_else(|| earlier(|p| p.last_completed_at)),
            incomplete: report.incomplete.clone(),
            employees: i64::try_from(report.records).unwrap_or(i64::MAX),
            // A process that met no change used none.
            read_way: match &report.way {
                Some(read) => Some(sync_state::ReadWay {
                    way: read.way.as_str().to_owned(),
                    because: read.because.clone(),
                }),
                None => previous.and_then(|previous| previous.read_way.clone()),
            },
        }
    }
}

/// Returns the time since which changes are read; `None` for a full read.
fn since(
    company: &SyncSource,
    mode: SyncMode,
    previous: Option<&SyncState>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let full_is_due = previous
        .and_then(|previous| previous.last_full_started_at)
        .is_none_or(|at| is_due(at, company.full_sync_interval, now));
    if mode == SyncMode::Full || (mode == SyncMode::IfDue && full_is_due) {
        return None;
    }
    previous?
        .last_complete_started_at?
        .checked_sub_signed(OVERLAP)
}

fn is_read_due(previous: Option<&SyncState>, interval: Duration, now: DateTime<Utc>) -> bool {
    previous.is_none_or(|state| is_due(state.last_started_at, interval, now))
}

fn is_due(last: DateTime<Utc>, interval: Duration, now: DateTime<Utc>) -> bool {
    TimeDelta::from_std(interval)
        .ok()
        .and_then(|interval| last.checked_add_signed(interval))
        .is_some_and(|at| at <= now)
}

fn log(report: &SyncReport, elapsed: TimeDelta) {
    let (source, account, records) = (&report.source, &report.account, report.records);
    let (full, elapsed_s) = (report.full, elapsed.num_seconds());
    let outcome = report
        .outcomes
        .iter()
        .map(|(outcome, count)| format!("{}={count}", outcome.as_str()))
        .collect::<Vec<_>>()
        .join(" ");
    match &report.incomplete {
        None => info!(%source, account, full, records, outcome, elapsed_s, "sync.read: complete"),
        Some(reason) => {
            warn!(%source, account, full, records, outcome, elapsed_s, reason, "sync.read: incomplete; missing records change nothing");
        }
    }
}
