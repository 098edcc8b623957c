//! Reads employees for whom a change was reported without values. The API is read outside any transaction. One
//! transaction then applies the values and deletes the pending read.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::Connection;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::SyncSource;
use super::failed_read::FailedRead;
use super::problems;
use crate::connect::{BambooHrApi, ReadError};
use crate::db::transaction::{roll_back, set_lock_timeout, set_short_lock_timeout};
use crate::engine::origin::Origin;
use crate::engine::{Engine, Failure};
use crate::jobs::runner::idle::{IdleWait, Now};
use crate::jobs::runner::{Job, Next};
use crate::jobs::traces::TracedRead;
use crate::roster::Observation;
use crate::roster::pending_reads::{self, PendingRead};
use leaver_core::domain::{DeliveryId, EmployeeChange, ReadFailure, SourceName};
use leaver_core::providers::{EmployeeRead, bamboohr_deletion};

/// Reads in flight at the same time.
const BATCH_SIZE: i64 = 4;
/// How often pending reads are looked up without a notification.
const POLL_INTERVAL: Duration = Duration::from_secs(3);
/// How long a claimed read belongs to this process; longer than one read with all its attempts.
const LEASE: TimeDelta = TimeDelta::minutes(5);
/// A change further in the future than this comes from a clock that has stepped back since.
const MAX_CLOCK_SKEW: TimeDelta = TimeDelta::minutes(10);
/// How far before the reported change a deletion is looked for in the list of changes.
const DELETION_OVERLAP: TimeDelta = TimeDelta::hours(1);
/// Reads the employees of pending reads.
pub struct PendingReader {
    engine: Arc<Engine>,
    apis: HashMap<SourceName, BambooHrApi>,
    give_up_after: TimeDelta,
}

/// The API's response to one read.
struct EmployeeResponse {
    read: PendingRead,
    began: DateTime<Utc>,
    /// `None` within if the employee was deleted.
    result: Result<Option<EmployeeRead>, ReadError>,
}

impl PendingReader {
    /// Creates a reader for those sources whose API reads single employees. A person has to decide about an employee
    /// whose read fails permanently for `give_up_after`.
    #[must_use]
    pub fn new(engine: Arc<Engine>, companies: &[SyncSource], give_up_after: Duration) -> Self {
        let apis = companies
            .iter()
            .filter_map(|company| {
                let api = company.client.employee_api()?;
                Some((company.source.clone(), api.clone()))
            })
            .collect();
        Self {
            engine,
            apis,
            give_up_after: TimeDelta::from_std(give_up_after).unwrap_or(TimeDelta::MAX),
        }
    }

    /// Returns true if a source can have pending reads.
    #[must_use]
    pub(crate) fn has_sources(&self) -> bool {
        !self.apis.is_empty()
    }

    /// Claims a batch of reads that are due and executes them. Returns how many were claimed. Tests call this instead
    /// of the job.
    ///
    /// # Errors
    /// Returns the failure; reads without a response stay pending.
    pub async fn read_due(&self, stop: &CancellationToken) -> Result<usize, Failure> {
        Ok(self.read_claimed(stop).await?.0)
    }

    /// Does the same. Without a read that is due, returns when the next one is.
    async fn read_claimed(
        &self,
        stop: &CancellationToken,
    ) -> Result<(usize, Option<DateTime<Utc>>), Failure> {
        let (claimed, next_at) = self.claim().await?;
        let count = claimed.len();
        let causes = self.causes(&claimed).await?;
        let mut reads = JoinSet::new();
        let mut in_flight: HashMap<tokio::task::Id, PendingRead> = HashMap::new();
        for (read, cause) in claimed.into_iter().zip(causes) {
            let Some(api) = self.apis.get(&read.key.source).cloned() else {
                continue;
            };
            // Later than the change, even if our clock has stepped back since.
            let after_change = read.since + TimeDelta::microseconds(1);
            let began = self.engine.clock.now().max(after_change);
            let requested = read.clone();
            let (traces, clock) = (self.engine.traces.clone(), Arc::clone(&self.engine.clock));
            let task = reads.spawn(async move {
                let span = TracedRead::begin(&traces, "read employee", cause, began);
                let read = read_employee(&api, &requested);
                let result = TracedRead::run(span.as_ref(), read).await;
                if let Some(span) = span {
                    span.end(&requested.key.source, result.is_err(), clock.now());
                }
                EmployeeResponse {
                    read: requested,
                    began,
                    result,
                }
            });
            in_flight.insert(task.id(), read);
        }
        loop {
            let joined = tokio::select! {
                () = stop.cancelled() => break,
                joined = reads.join_next_with_id() => joined,
            };
            match joined {
                None => break,
                Some(Ok((id, response))) => {
                    in_flight.remove(&id);
                    self.settle(response).await?;
                }
                // It panicked. The lease ends by itself, and the read is then retried.
                Some(Err(panicked)) => {
                    in_flight.remove(&panicked.id());
                    warn!("pending_reads.read: a bug ended a read; will retry");
                }
            }
        }
        // Stopped: reads without a response are due at once, so that another replica can claim them.
        let now = self.engine.clock.now();
        for read in in_flight.values() {
            self.postpone(read, None, None, now).await?;
        }
        Ok((count, next_at))
    }

    /// Claims reads that are due. Without one, returns when the next one is due.
    async fn claim(&self) -> Result<(Vec<PendingRead>, Option<DateTime<Utc>>), sqlx::Error> {
        let sources: Vec<SourceName> = self.apis.keys().cloned().collect();
        let now = self.engine.clock.now();
        let (leased_until, max_since) = (now + LEASE, now + MAX_CLOCK_SKEW);
        let pool = &self.engine.pool;
        let claimed = async {
            let mut conn = pool.acquire().await?;
            let claimed = pending_reads::store::claim(
                &mut conn,
                &sources,
                BATCH_SIZE,
                now,
                leased_until,
                max_since,
            )
            .await?;
            let next_at = if claimed.is_empty() {
                pending_reads::store::next_attempt_at(&mut conn, &sources).await?
            } else {
                None
            };
            Ok((claimed, next_at))
        };
        pool.with_silence_timeout(claimed).await
    }

    /// Returns the last delivery about each of these employees, which caused the read. Without traces they are not queried.
    async fn causes(&self, reads: &[PendingRead]) -> Result<Vec<Option<DeliveryId>>, sqlx::Error> {
        if !self.engine.traces.is_on() || reads.is_empty() {
            return Ok(vec![None; reads.len()]);
        }
        let pool = &self.engine.pool;
        let found = async {
            let mut conn = pool.acquire().await?;
            pending_reads::store::last_deliveries(&mut conn, reads).await
        };
        pool.with_silence_timeout(found).await
    }

    /// Applies a response, or records why the read stays pending.
    async fn settle(&self, response: EmployeeResponse) -> Result<(), Failure> {
        let now = self.engine.clock.now();
        let read = &response.read;
        let failed = match response.result {
            Err(error) => {
                if error.concerns_credentials() {
                    problems::credentials_refused(&self.engine, &read.key.source, &error).await?;
                }
                Some(FailedRead::of_api(&error))
            }
            Ok(result) => {
                let missing = result.as_ref().and_then(FailedRead::of_response);
                let change = result.map_or_else(
                    || bamboohr_deletion(&read.key.employee_id, response.began, &read.key.tenant),
                    |result| result.change,
                );
                let is_complete = missing.is_none();
                let applied = self.apply(read, change, response.began, is_complete);
                match self.engine.pool.with_silence_timeout(applied).await {
                    Ok(()) => missing,
                    Err(failure) if failure.is_outage() => return Err(failure),
                    Err(failure) => Some(FailedRead::of_engine(&failure)),
                }
            }
        };
        let source = read.key.source.as_str();
        let Some(failed) = failed else {
            info!(source, employee = %read.key.employee_id, "pending_reads.read: done");
            return Ok(());
        };
        let retry = failed.retry(read, self.give_up_after, now);
        if let Some(since) = retry.given_up_since
            && !self.give_up(read, &failed, since).await?
        {
            info!(source, employee = %read.key.employee_id, "pending_reads.read: newer values are known; no read is needed");
            return Ok(());
        }
        let attempts = read.attempts + 1;
        let reason = failed.reason.as_str();
        warn!(source, employee = %read.key.employee_id, attempts, reason, next_attempt_at = %retry.at, "pending_reads.read: failed; will retry");
        Ok(self
            .postpone(read, Some(reason), retry.failed_since, retry.at)
            .await?)
    }

    /// Leaves the decision to a person. Returns false if the read is deleted, since newer values are known.
    async fn give_up(
        &self,
        read: &PendingRead,
        failed: &FailedRead,
        since: DateTime<Utc>,
    ) -> Result<bool, Failure> {
        let failure = ReadFailure {
            since,
            cause: failed.cause.clone(),
        };
        let is_waiting = match self.engine.record_read_failure(&read.key, &failure).await {
            Ok(is_waiting) => is_waiting,
            Err(failure) if failure.is_outage() => return Err(failure),
            Err(error) => {
                warn!(%error, "pending_reads.give_up: cannot open a hold now; will retry");
                true
            }
        };
        // Withheld fields stay a problem although the status is known.
        if is_waiting || !failed.is_empty {
            return Ok(true);
        }
        let pool = &self.engine.pool;
        let forgotten = async {
            let mut conn = pool.acquire().await?;
            let after_change = read.since + TimeDelta::microseconds(1);
            pending_reads::store::forget(&mut conn, &read.key, after_change).await
        };
        pool.with_silence_timeout::<_, sqlx::Error>(forgotten)
            .await?;
        Ok(false)
    }

    /// Applies a change in one transaction. Deletes the read if the response is complete.
    async fn apply(
        &self,
        read: &PendingRead,
        mut change: EmployeeChange,
        began: DateTime<Utc>,
        is_complete: bool,
    ) -> Result<(), Failure> {
        // The tenant may have been renamed in the settings since; the employee is still the same.
        change.tenant = read.key.tenant.clone();
        let table = self.engine.accounts_table().await?;
        let source = read.key.source.clone();
        let observation = Observation::new(source, change, Some(began), began, None);
        let mut conn = self.engine.pool.acquire().await?;
        let mut tx = conn.begin().await?;
        set_lock_timeout(&mut tx).await?;
        if read.attempts > 0 {
            // Other reads must not wait again and again for one that was locked.
            set_short_lock_timeout(&mut tx).await?;
        }
        let applied = self
            .engine
            .apply_observations(&mut tx, &table, &[observation], &Origin::api())
            .await;
        let applied = match applied {
            Ok(applied) => applied,
            Err(failure) => {
                // The remembered accounts table may be out of date.
                self.engine.forget_accounts_table();
                roll_back(tx).await;
                return Err(failure);
            }
        };
        if is_complete {
            pending_reads::store::forget(&mut tx, &read.key, began).await?;
        }
        tx.commit().await?;
        self.engine.after_commit(read.key.source.as_str(), &applied);
        Ok(())
    }

    async fn postpone(
        &self,
        read: &PendingRead,
        reason: Option<&str>,
        failed_since: Option<DateTime<Utc>>,
        until: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        let pool = &self.engine.pool;
        let postponed = async {
            let mut conn = pool.acquire().await?;
            pending_reads::store::postpone(&mut conn, read, reason, failed_since, until).await
        };
        pool.with_silence_timeout(postponed).await
    }
}

/// Reads one employee. A 404 is a deletion only if the list of changes contains it: a wrong address answers 404, too.
async fn read_employee(
    api: &BambooHrApi,
    read: &PendingRead,
) -> Result<Option<EmployeeRead>, ReadError> {
    let id = &read.key.employee_id;
    if let Some(found) = api.employee(id).await? {
        return Ok(Some(found));
    }
    if api
        .is_listed_as_deleted(id, read.since - DELETION_OVERLAP)
        .await?
    {
        return Ok(None);
    }
    Err(ReadError::NotListedAsDeleted)
}

/// Executes pending reads, until stopped.
pub(crate) struct PendingReadsJob {
    reader: Arc<PendingReader>,
    /// Ends a batch early.
    stop: CancellationToken,
    idle: IdleWait,
}

impl PendingReadsJob {
    /// Creates the job.
    #[must_use]
    pub(crate) fn new(reader: Arc<PendingReader>, stop: CancellationToken) -> Self {
        Self {
            reader,
            stop,
            idle: IdleWait::default(),
        }
    }
}

impl Job for PendingReadsJob {
    const NAME: &'static str = "pending_reads";

    fn wakes_on(&self) -> Option<Arc<Notify>> {
        Some(Arc::clone(&self.reader.engine.notifications.reads_due))
    }

    fn notified(&mut self) {
        self.idle.end();
    }

    async fn tick(&mut self) -> Next {
        let engine = &self.reader.engine;
        let is_listening = &engine.notifications.is_listening;
        let now = Now::of(&*engine.clock);
        if self.idle.is_idle(POLL_INTERVAL, is_listening, now) {
            return Next::Poll(self.idle.tick_after(POLL_INTERVAL, now));
        }
        match self.reader.read_claimed(&self.stop).await {
            Ok((0, next_at)) => {
                self.idle.begin(next_at, now);
                Next::Poll(self.idle.tick_after(POLL_INTERVAL, now))
            }
            Ok(_) => {
                self.idle.end();
                Next::Again
            }
            Err(error) => {
                self.idle.end();
                self.reader.engine.forget_accounts_table();
                warn!(%error, "pending_reads.run: cannot read now; the reads stay pending");
                Next::Poll(POLL_INTERVAL)
            }
        }
    }
}
