//! Ends access at scheduled times. Sleeps until the next one, and executes those that were missed while no process ran.

use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection;
use tokio::sync::Notify;
use tracing::{info, warn};

use crate::base::liveness::Liveness;
use crate::db::transaction::{roll_back, set_lock_timeout};
use crate::engine::accounts::AccountsTable;
use crate::engine::execute::Outcome;
use crate::engine::origin::Origin;
use crate::engine::reevaluate::PartialExecution;
use crate::engine::{Engine, Failure};
use crate::jobs::runner::{Job, Next};
use crate::roster;

/// Access ends per transaction, at most.
const SLICE: i64 = 500;
/// The longest sleep. An end that another replica schedules is seen after it, well within the promised 2 s.
const MAX_SLEEP: Duration = Duration::from_secs(1);
/// The shortest sleep, so that an end that cannot be executed yet is not looked up without a pause.
const MIN_SLEEP: Duration = Duration::from_millis(20);

/// Ends access at scheduled times.
#[derive(Clone)]
pub struct ScheduledEnds {
    engine: Arc<Engine>,
    liveness: Arc<Liveness>,
}

impl ScheduledEnds {
    /// Creates the job.
    #[must_use]
    pub fn new(engine: Arc<Engine>, liveness: Arc<Liveness>) -> Self {
        Self { engine, liveness }
    }

    /// Executes everything that is due now. Tests call this instead of running the job.
    ///
    /// # Errors
    /// Returns why nothing more could be executed. What is left stays due.
    pub async fn run_due(&self) -> Result<(), Failure> {
        let ran = self.run_slices().await;
        ran.inspect_err(|_| self.engine.forget_accounts_table())
    }

    async fn run_slices(&self) -> Result<(), Failure> {
        let table = self.engine.accounts_table().await?;
        let origin = Origin::timer();
        loop {
            let slice = self.run_slice(&table, &origin);
            let executed = self.engine.pool.with_silence_timeout(slice).await?;
            match executed.failure {
                // Those that failed are due again at once, so a slice that executed nothing would repeat without end.
                None if executed.outcomes.is_empty() => return Ok(()),
                Some(failure) if executed.outcomes.is_empty() => return Err(failure),
                None | Some(_) => {}
            }
        }
    }

    async fn run_slice(
        &self,
        table: &AccountsTable,
        origin: &Origin,
    ) -> Result<PartialExecution, Failure> {
        let engine = &self.engine;
        let now = engine.clock.now();
        let mut conn = engine.pool.acquire().await?;
        let mut tx = conn.begin().await?;
        set_lock_timeout(&mut tx).await?;
        let names = engine.policies.names();
        let due = roster::due::store::lock(&mut tx, &names, now, SLICE).await?;
        if due.is_empty() {
            return Ok(PartialExecution::default());
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
        Ok(executed)
    }

    async fn time_until_next(&self) -> Duration {
        let engine = &self.engine;
        let next = async {
            let mut conn = engine.pool.acquire().await?;
            roster::due::store::next_at(&mut conn, &engine.policies.names()).await
        };
        match engine
            .pool
            .with_silence_timeout::<_, sqlx::Error>(next)
            .await
        {
            Ok(Some(at)) => (at - engine.clock.now())
                .to_std()
                .unwrap_or(Duration::ZERO)
                .clamp(MIN_SLEEP, MAX_SLEEP),
            Ok(None) | Err(_) => MAX_SLEEP,
        }
    }
}

impl Job for ScheduledEnds {
    const NAME: &'static str = "scheduled_ends";

    fn wakes_on(&self) -> Option<Arc<Notify>> {
        let notifications = &self.engine.notifications;
        Some(Arc::clone(&notifications.schedule_changed))
    }

    async fn tick(&mut self) -> Next {
        let wait = match self.run_due().await {
            Ok(()) => self.time_until_next().await,
            Err(failure) => {
                warn!(error = %failure, "scheduled_ends.run: cannot execute scheduled ends; they stay due");
                MAX_SLEEP
            }
        };
        self.liveness.scheduled_ends_ticked(self.engine.clock.now());
        Next::Wait(wait)
    }
}
