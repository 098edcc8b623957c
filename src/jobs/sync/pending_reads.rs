//! Reads employees of whom a change was reported without values: asks the API outside any transaction, then
//! merges, decides and carries out what it said in one, which also forgets the read.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::Connection;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{ProviderClient, SyncSource};
use crate::connect::{BambooHrApi, ReadError};
use crate::db::error::is_outage;
use crate::db::error::{chain, redacted_message};
use crate::db::transaction::{roll_back, set_lock_timeout};
use crate::engine::Engine;
use crate::engine::audit::Actor;
use crate::jobs::deliveries::LoopState;
use crate::roster::Observation;
use crate::roster::pending_reads::{self, PendingRead};
use leaver_core::domain::{ChangeKind, EmployeeChange, Field, SourceName};
use leaver_core::providers::{EmployeeRead, bamboohr_removal};

/// So many reads are under way at once.
const SLICE: i64 = 4;
/// So often it looks without being woken.
const POLL: Duration = Duration::from_secs(3);
/// Longer than one read with all its tries lasts.
const LENT_FOR: TimeDelta = TimeDelta::minutes(5);
/// However often a read failed, it is tried again after this, unless the API asks for more.
const LONGEST_WAIT: TimeDelta = TimeDelta::minutes(10);
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
    cause: String,
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

    /// Reads what becomes due until stopped.
    pub async fn run(&self, stop: CancellationToken) {
        let mut memory = LoopState::default();
        while !stop.is_cancelled() {
            let wanted = self.worker.reading.notified();
            match self.read_due(&mut memory, &stop).await {
                Ok(0) => {}
                Ok(_) => continue,
                Err(reason) => {
                    memory = LoopState::default();
                    warn!(reason, "reader.run: cannot read now; what is due stays due");
                }
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = wanted => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// Makes a slice of the reads that are due; says how many. Tests call this instead of the loop.
    ///
    /// # Errors
    /// What went wrong with the database, in words; what was not read stays due.
    pub async fn read_due(
        &self,
        memory: &mut LoopState,
        stop: &CancellationToken,
    ) -> Result<usize, String> {
        let claimed = self.claim().await.map_err(|error| chain(&error))?;
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
                    self.settle(memory, answer).await?;
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
                .map_err(|e| chain(&e))?;
        }
        Ok(count)
    }

    async fn claim(&self) -> Result<Vec<PendingRead>, sqlx::Error> {
        let sources: Vec<SourceName> = self.apis.keys().cloned().collect();
        let now = self.worker.clock.now();
        let pool = &self.worker.pool;
        let claimed = async {
            let mut conn = pool.acquire().await?;
            let (lent_until, farthest) = (now + LENT_FOR, now + FARTHEST);
            pending_reads::store::claim(&mut conn, &sources, SLICE, now, lent_until, farthest).await
        };
        pool.heard(claimed).await
    }

    /// Does what follows from an answer, or notes why it stays due.
    async fn settle(&self, memory: &mut LoopState, answer: Answer) -> Result<(), String> {
        let now = self.worker.clock.now();
        let read = &answer.read;
        let postponed = match answer.said {
            Err(error) => Some(Postponed {
                until: retry_at(read, &error, now),
                cause: error.to_string(),
            }),
            Ok(said) => {
                let change = said.map_or_else(
                    || bamboohr_removal(&read.key.employee_id, answer.began, &read.key.tenant),
                    |said| said.change,
                );
                let taken_in = self.apply_in_chunks(memory, read, change, answer.began);
                match self.worker.pool.heard(taken_in).await {
                    Ok(true) => None,
                    Ok(false) => Some(Postponed {
                        until: now + backoff(read.attempts),
                        cause: NO_STATUS.to_owned(),
                    }),
                    Err(Trouble::Words(words)) => return Err(words),
                    Err(Trouble::Database(error)) if is_outage(&error) => {
                        return Err(chain(&error));
                    }
                    Err(Trouble::Database(error)) => Some(Postponed {
                        until: now + backoff(read.attempts),
                        cause: redacted_message(&error),
                    }),
                }
            }
        };
        let source = read.key.source.as_str();
        let Some(Postponed { cause, until }) = postponed else {
            info!(source, employee = %read.key.employee_id, "reader.read: done");
            return Ok(());
        };
        let attempts = read.attempts + 1;
        warn!(source, employee = %read.key.employee_id, attempts, cause, next_attempt_at = %until, "reader.read: failed; will try again");
        self.postpone(read, Some(&cause), until)
            .await
            .map_err(|error| chain(&error))
    }

    /// Observes and acts in one transaction. Whether the answer is one to the change: without a status it is
    /// none, and only an answer ends the read.
    async fn apply_in_chunks(
        &self,
        memory: &mut LoopState,
        read: &PendingRead,
        mut change: EmployeeChange,
        began: DateTime<Utc>,
    ) -> Result<bool, Trouble> {
        // The company may have been renamed in the settings since; the employee is still this one.
        change.tenant = read.key.tenant.clone();
        let answers = change.kind == ChangeKind::Deleted || change.facts.status != Field::Absent;
        let table = self
            .worker
            .accounts_table(memory)
            .await
            .map_err(Trouble::Words)?;
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
            Err(error) => {
                *memory = LoopState::default();
                roll_back(tx).await;
                return Err(error.into());
            }
        };
        if answers {
            pending_reads::store::forget(&mut tx, &read.key, began).await?;
        }
        tx.commit().await?;
        self.worker.tell(read.key.source.as_str(), &learned);
        Ok(answers)
    }

    async fn postpone(
        &self,
        read: &PendingRead,
        cause: Option<&str>,
        until: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        let pool = &self.worker.pool;
        let postponed = async {
            let mut conn = pool.acquire().await?;
            pending_reads::store::postpone(&mut conn, read, cause, until).await
        };
        pool.heard(postponed).await
    }
}

/// What went wrong on our side.
enum Trouble {
    Words(String),
    Database(sqlx::Error),
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// Doubles from five seconds on.
fn backoff(attempts: i32) -> TimeDelta {
    let doublings = u32::try_from(attempts.clamp(0, 10)).unwrap_or(0);
    TimeDelta::seconds(5 << doublings).min(LONGEST_WAIT)
}

/// When to read again: as late as the API asks for, and later each time.
fn retry_at(read: &PendingRead, error: &ReadError, now: DateTime<Utc>) -> DateTime<Utc> {
    let usual = now + backoff(read.attempts);
    let asked = match error {
        ReadError::CredentialsBlocked { until, .. } => Some(*until),
        _ => error
            .retry_after()
            .and_then(|wait| TimeDelta::from_std(wait).ok())
            .and_then(|wait| now.checked_add_signed(wait)),
    };
    asked.map_or(usual, |asked| asked.min(now + LONGEST_ASKED).max(usual))
}
