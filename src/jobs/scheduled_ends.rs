//! Ends access at scheduled times. Sleeps until the next one, and executes those that were missed while no process ran.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::Connection;
use tokio::sync::Notify;
use tracing::{info, warn};

use crate::base::liveness::Liveness;
use crate::db::transaction::{roll_back, set_short_lock_timeout};
use crate::engine::accounts::AccountsTable;
use crate::engine::execute::Outcome;
use crate::engine::origin::Origin;
use crate::engine::reevaluate::PartialExecution;
use crate::engine::{Engine, Failure};
use crate::jobs::runner::idle::{IdleWait, Now};
use crate::jobs::runner::{Job, Next};
use crate::roster;
use leaver_core::domain::EmployeeKey;

/// Access ends per transaction, at most.
const SLICE: i64 = 500;
/// The longest sleep. The clock is compared with the next end after it. Without messages of other processes, the database
/// is queried after it: an end that another replica schedules is found well within the promised 2 s.
const MAX_SLEEP: Duration = Duration::from_secs(1);
/// The shortest sleep, so that an end that cannot be executed yet is not looked up without a pause.
const MIN_SLEEP: Duration = Duration::from_millis(20);

/// Ends access at scheduled times.
#[derive(Clone)]
pub struct ScheduledEnds {
    engine: Arc<Engine>,
    liveness: Arc<Liveness>,
    /// Those that failed alone since the last pause. They are due again at once, and would be in front of the others in each
    /// slice.
    failed: BTreeSet<EmployeeKey>,
    idle: IdleWait,
}

/// Ends that were executed in one transaction.
#[derive(Debug, Default)]
struct Slice {
    executed: PartialExecution,
    /// When the next one is due, if none was due now.
    next_at: Option<DateTime<Utc>>,
}

impl From<PartialExecution> for Slice {
    fn from(executed: PartialExecution) -> Self {
        Self {
            executed,
            next_at: None,
        }
    }
}

impl ScheduledEnds {
    /// Creates the job.
    #[must_use]
    pub fn new(engine: Arc<Engine>, liveness: Arc<Liveness>) -> Self {
        Self {
            engine,
            liveness,
            failed: BTreeSet::new(),
            idle: IdleWait::default(),
        }
    }

    /// Executes everything that is due now and can be executed. Tests call this instead of running the job.
    ///
    /// # Errors
    /// Returns why not everything could be executed. What is left stays due.
    pub async fn run_due(&self) -> Result<(), Failure> {
        let mut failed = BTreeSet::new();
        let mut last_failure = None;
        let origin = Origin::timer();
        loop {
            let Slice {
                executed: slice, ..
            } = self.run_next(&failed, &origin).await?;
            let is_last = slice.is_empty();
            failed.extend(slice.failed);
            last_failure = slice.failure.or(last_failure);
            if is_last {
                return last_failure.map_or(Ok(()), Err);
            }
        }
    }

    /// Executes what is due next, without those that failed.
    async fn run_next(
        &self,
        failed: &BTreeSet<EmployeeKey>,
        origin: &Origin,
    ) -> Result<Slice, Failure> {
        let engine = &self.engine;
        let ran = async {
            let table = engine.accounts_table().await?;
            let slice = self.run_slice(&table, failed, origin);
            engine.pool.with_silence_timeout(slice).await
        };
        let ran = ran.await;
        if !matches!(&ran, Ok(slice) if slice.executed.failure.is_none()) {
            engine.forget_accounts_table();
        }
        ran
    }

    async fn run_slice(
        &self,
        table: &AccountsTable,
        failed: &BTreeSet<EmployeeKey>,
        origin: &Origin,
    ) -> Result<Slice, Failure> {
        let engine = &self.engine;
        let now = engine.clock.now();
        let mut conn = engine.pool.acquire().await?;
        let mut tx = conn.begin().await?;
        // An end has two seconds, and is tried again soon.
        set_short_lock_timeout(&mut tx).await?;
        let names = engine.policies.names();
        let due = roster::due::store::lock(&mut tx, &names, now, failed, SLICE).await?;
        if due.is_empty() {
            let next_at = roster::due::store::next_at(&mut tx, &names).await?;
            return Ok(Slice {
                next_at,
                ..Slice::default()
            });
        }
        let executed = engine.execute_partially(&mut tx, table, due, origin, now);
        let executed = match executed.await {
            Ok(executed) => executed,
            Err(failure) => {
                roll_back(tx).await;
                return Err(failure);
            }
        };
        tx.commit().await?;
        if executed.outcomes.is_empty() {
            return Ok(executed.into());
        }
        for (key, outcome) in &executed.outcomes {
            engine.count(key.source.as_str(), *outcome, 1);
        }
        let outcomes = executed.outcomes.values();
        let deactivated = outcomes.filter(|outcome| **outcome == Outcome::Deactivated);
        info!(
            due = executed.outcomes.len(),
            deactivated = deactivated.count(),
            "scheduled_ends.run: executed"
        );
        Ok(executed.into())
    }

    /// Begins to wait for the next end, and returns the time until the next tick.
    fn wait_until(&mut self, next_at: Option<DateTime<Utc>>) -> Duration {
        let clock = &*self.engine.clock;
        if next_at.is_some_and(|at| at <= clock.now()) {
            // Another replica executes it now.
            return MIN_SLEEP;
        }
        let now = Now::of(clock);
        self.idle.begin(next_at, now);
        self.idle.tick_after(MAX_SLEEP, now)
    }
}

impl Job for ScheduledEnds {
    const NAME: &'static str = "scheduled_ends";

    fn wakes_on(&self) -> Option<Arc<Notify>> {
        let notifications = &self.engine.notifications;
        Some(Arc::clone(&notifications.schedule_changed))
    }

    fn notified(&mut self) {
        self.idle.end();
    }

    async fn tick(&mut self) -> Next {
        let liveness = Arc::clone(&self.liveness);
        liveness.scheduled_end_rounds.record(self.round()).await
    }
}

impl ScheduledEnds {
    async fn round(&mut self) -> Next {
        let now = Now::of(&*self.engine.clock);
        let is_listening = &self.engine.notifications.is_listening;
        if self.idle.is_idle(MAX_SLEEP, is_listening, now) {
            return Next::Wait(self.idle.tick_after(MAX_SLEEP, now));
        }
        let ran = self.run_next(&self.failed, &Origin::timer()).await;
        if ran.is_ok() {
            self.liveness.scheduled_ends_ticked(self.engine.clock.now());
        }
        let failure = match ran {
            Ok(slice) if slice.executed.is_empty() => {
                if !std::mem::take(&mut self.failed).is_empty() {
                    self.idle.end();
                    return Next::Wait(MAX_SLEEP);
                }
                return Next::Wait(self.wait_until(slice.next_at));
            }
            Ok(Slice { executed, .. }) => {
                self.idle.end();
                self.failed.extend(executed.failed);
                executed.failure.map(|failure| (failure, Next::Again))
            }
            Err(failure) => {
                self.failed.clear();
                self.idle.end();
                self.engine.pool.renew();
                Some((failure, Next::Wait(MAX_SLEEP)))
            }
        };
        let Some((failure, next)) = failure else {
            return Next::Again;
        };
        warn!(error = %failure, "scheduled_ends.run: cannot execute scheduled ends; they stay due");
        next
    }
}
