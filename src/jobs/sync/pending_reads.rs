//! Reads employees of whom a change was reported without values: asks the API outside any transaction, then
//! merges, decides and carries out what it said in one, which also forgets the read.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::Connection;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{ProviderClient, SyncSource};
use crate::base::backoff::{Backoff, Jitter};
use crate::connect::{BambooHrApi, ReadError};
use crate::db::error::error_chain;
use crate::db::transaction::{roll_back, set_lock_timeout};
use crate::engine::audit::Actor;
use crate::engine::{Engine, Failure};
use crate::jobs::runner::{Job, Next};
use crate::roster::Observation;
use crate::roster::pending_reads::{self, PendingRead};
use leaver_core::domain::{ChangeKind, EmployeeChange, Field, SourceName};
use leaver_core::providers::{EmployeeRead, bamboohr_removal};

/// So many reads are under way at once.
const SLICE: i64 = 4;
/// So often it looks without being woken.
const POLL: Duration = Duration::from_secs(3);
/// Longer than one read with all its tries lasts.
const LEASE: TimeDelta = TimeDelta::minutes(5);
/// Before the next attempt at a read, unless the API asks for more.
const RETRY: Backoff = Backoff {
    base: Duration::from_secs(5),
    cap: Duration::from_mins(10),
    jitter: Jitter::None,
};
/// An API that asks for more is asked again after this.
const LONGEST_ASKED: TimeDelta = TimeDelta::hours(1);
/// A change further ahead than this is of a clock that has stepped back since.
const FARTHEST: TimeDelta = TimeDelta::minutes(10);
/// What the operator is told when the one fact that matters did not come.
const NO_STATUS: &str = "the API shows no `status` of this employee: let the BambooHR user who made api.api_key see that field";

/// Reads what is due.
pub struct PendingReader {
    worker: Arc<Engine>,
    apis: HashMap<SourceName, BambooHrApi>,
}

/// What one read came to.
struct Answer {
    read: PendingRead,
    began: DateTime<Utc>,
    /// `None` within when there is no such employee (any more).
    said: Result<Option<EmployeeRead>, ReadError>,
}

/// Why a read stays due.
struct Postponed {
    reason: String,
    until: DateTime<Utc>,
}

impl PendingReader {
    /// For these sources, over the worker's database and rules.
    #[must_use]
    pub fn new(worker: Arc<Engine>, companies: &[SyncSource]) -> Self {
        let apis = companies
            .iter()
            .filter_map(|company| match &company.api {
                ProviderClient::BambooHr(api, _) => Some((company.source.clone(), api.clone())),
                ProviderClient::Merge(..) => None,
            })
            .collect();
        Self { worker, apis }
    }

    /// Whether there is anything to read: only BambooHR reports changes without values.
    #[must_use]
    pub fn has_sources(&self) -> bool {
        !self.apis.is_empty()
    }

    /// Makes a slice of the reads that are due; says how many. Tests call this instead of the loop.
    ///
    /// # Errors
    /// What went wrong with the database, in words; what was not read stays due.
    pub async fn read_due(&self, stop: &CancellationToken) -> Result<usize, String> {
        let claimed = self.claim().await.map_err(|error| error_chain(&error))?;
        let count = claimed.len();
        let mut reads = JoinSet::new();
        let mut waiting: HashMap<tokio::task::Id, PendingRead> = HashMap::new();
        for read in claimed {
            let Some(api) = self.apis.get(&read.key.source).cloned() else {
                continue;
            };
            // It begins after the change, whatever a clock says that has stepped back since.
            let after = read.since + TimeDelta::microseconds(1);
            let (asked, began) = (read.clone(), self.worker.clock.now().max(after));
            let task = reads.spawn(async move {
                let said = api.employee(&asked.key.employee_id).await;
                Answer {
                    read: asked,
                    began,
                    said,
                }
            });
            waiting.insert(task.id(), read);
        }
        loop {
            let answer = tokio::select! {
                () = stop.cancelled() => break,
                answer = reads.join_next_with_id() => answer,
            };
            match answer {
                None => break,
                Some(Ok((id, answer))) => {
                    waiting.remove(&id);
                    self.settle(answer).await?;
                }
                // It panicked: the read is lent out for a while, and then tried again.
                Some(Err(bug)) => {
                    waiting.remove(&bug.id());
                    warn!("reader.read: a bug ended a read; it will be tried again");
                }
            }
        }
        // Stopped in the middle: what was not answered is due again at once, for whoever comes next.
        let now = self.worker.clock.now();
        for read in waiting.values() {
            self.postpone(read, None, now)
                .await
                .map_err(|e| error_chain(&e))?;
        }
        Ok(count)
    }

    async fn claim(&self) -> Result<Vec<PendingRead>, sqlx::Error> {
        let sources: Vec<SourceName> = self.apis.keys().cloned().collect();
        let now = self.worker.clock.now();
        let pool = &self.worker.pool;
        let claimed = async {
            let mut conn = pool.acquire().await?;
            let (leased_until, farthest) = (now + LEASE, now + FARTHEST);
            pending_reads::store::claim(&mut conn, &sources, SLICE, now, leased_until, farthest)
                .await
        };
        pool.with_silence_timeout(claimed).await
    }

    /// Does what follows from an answer, or notes why it stays due.
    async fn settle(&self, answer: Answer) -> Result<(), String> {
        let now = self.worker.clock.now();
        let read = &answer.read;
        let postponed = match answer.said {
            Err(error) => Some(Postponed {
                until: retry_at(read, &error, now),
                reason: error.to_string(),
            }),
            Ok(said) => {
                let change = said.map_or_else(
                    || bamboohr_removal(&read.key.employee_id, answer.began, &read.key.tenant),
                    |said| said.change,
                );
                let taken_in = self.apply_in_chunks(read, change, answer.began);
                match self.worker.pool.with_silence_timeout(taken_in).await {
                    Ok(true) => None,
                    Ok(false) => Some(Postponed {
                        until: now + backoff(read.attempts),
                        reason: NO_STATUS.to_owned(),
                    }),
                    Err(failure) if failure.is_outage() => return Err(failure.to_string()),
                    Err(failure) => Some(Postponed {
                        until: now + backoff(read.attempts),
                        reason: failure.to_string(),
                    }),
                }
            }
        };
        let source = read.key.source.as_str();
        let Some(Postponed { reason, until }) = postponed else {
            info!(source, employee = %read.key.employee_id, "reader.read: done");
            return Ok(());
        };
        let attempts = read.attempts + 1;
        warn!(source, employee = %read.key.employee_id, attempts, reason, next_attempt_at = %until, "reader.read: failed; will try again");
        self.postpone(read, Some(&reason), until)
            .await
            .map_err(|error| error_chain(&error))
    }

    /// Observes and acts in one transaction. Whether the answer is one to the change: without a status it is
    /// none, and only an answer ends the read.
    async fn apply_in_chunks(
        &self,
        read: &PendingRead,
        mut change: EmployeeChange,
        began: DateTime<Utc>,
    ) -> Result<bool, Failure> {
        // The company may have been renamed in the settings since; the employee is still this one.
        change.tenant = read.key.tenant.clone();
        let answers = change.kind == ChangeKind::Deleted || change.facts.status != Field::Absent;
        let table = self.worker.accounts_table().await?;
        let source = read.key.source.clone();
        let observation = Observation::new(source, change, Some(began), began, None);
        let mut conn = self.worker.pool.acquire().await?;
        let mut tx = conn.begin().await?;
        set_lock_timeout(&mut tx).await?;
        let learned = self
            .worker
            .apply_observations(&mut tx, &table, &[observation], &Actor::System)
            .await;
        let learned = match learned {
            Ok(learned) => learned,
            Err(failure) => {
                self.worker.forget_accounts_table();
                roll_back(tx).await;
                return Err(failure);
            }
        };
        if answers {
            pending_reads::store::forget(&mut tx, &read.key, began).await?;
        }
        tx.commit().await?;
        self.worker.after_commit(read.key.source.as_str(), &learned);
        Ok(answers)
    }

    async fn postpone(
        &self,
        read: &PendingRead,
        reason: Option<&str>,
        until: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        let pool = &self.worker.pool;
        let postponed = async {
            let mut conn = pool.acquire().await?;
            pending_reads::store::postpone(&mut conn, read, reason, until).await
        };
        pool.with_silence_timeout(postponed).await
    }
}

/// Reads what is due, until stopped.
pub struct PendingReadsJob {
    /// Reads it.
    pub reader: Arc<PendingReader>,
    /// Ends a slice in the middle.
    pub stop: CancellationToken,
}

impl Job for PendingReadsJob {
    const NAME: &'static str = "pending_reads";

    fn wakes_on(&self) -> Option<Arc<Notify>> {
        Some(Arc::clone(&self.reader.worker.notifications.reads_due))
    }

    async fn tick(&mut self) -> Next {
        match self.reader.read_due(&self.stop).await {
            Ok(0) => Next::Poll(POLL),
            Ok(_) => Next::Again,
            Err(reason) => {
                self.reader.worker.forget_accounts_table();
                warn!(reason, "reader.run: cannot read now; what is due stays due");
                Next::Poll(POLL)
            }
        }
    }
}

/// The wait after this many earlier failures.
fn backoff(attempts: i32) -> TimeDelta {
    let failures = u32::try_from(attempts).unwrap_or(0).saturating_add(1);
    TimeDelta::from_std(RETRY.random_wait(failures)).unwrap_or(TimeDelta::minutes(10))
}

/// When to read again: as late as the API asks for, and later each time.
fn retry_at(read: &PendingRead, error: &ReadError, now: DateTime<Utc>) -> DateTime<Utc> {
    let usual = now + backoff(read.attempts);
    let asked = match error {
        ReadError::CoolingDown { until, .. } => Some(*until),
        _ => error
            .retry_after()
            .and_then(|wait| TimeDelta::from_std(wait).ok())
            .and_then(|wait| now.checked_add_signed(wait)),
    };
    asked.map_or(usual, |asked| asked.min(now + LONGEST_ASKED).max(usual))
}
