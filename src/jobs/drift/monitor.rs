//! The service's own look, now and then; one replica at a time.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use sqlx::PgConnection;
use tracing::{info, warn};

use super::compare;
use super::store::{self, Checked};
use crate::db::advisory_lock::AdvisoryLock;
use crate::db::error::error_chain;
use crate::engine::Engine;
use crate::jobs::runner::{Job, Next};
use leaver_core::decision::policy::DriftMode;

/// So often each replica looks whether a comparison is due.
const LOOK: Duration = Duration::from_secs(30);

/// Compares whenever it is due.
pub struct DriftMonitor {
    worker: Arc<Engine>,
    remedy: DriftMode,
    every: Duration,
}

impl DriftMonitor {
    /// Compares this often, and does this about what it finds.
    #[must_use]
    pub fn new(worker: Arc<Engine>, remedy: DriftMode, every: Duration) -> Self {
        Self {
            worker,
            remedy,
            every,
        }
    }

    /// Compares if that is due and no other replica is at it. Tests call this instead of the loop.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub async fn look_when_due(&self) -> Result<Option<Checked>, String> {
        let said = |error: sqlx::Error| error_chain(&error);
        let turn = AdvisoryLock::try_acquire(&self.worker.pool, "drift").await;
        let Some(mut turn) = turn.map_err(said)? else {
            return Ok(None);
        };
        let checked = self.look(&mut turn).await?;
        turn.release().await.map_err(said)?;
        Ok(checked)
    }

    async fn look(&self, guard: &mut PgConnection) -> Result<Option<Checked>, String> {
        let said = |error: sqlx::Error| error_chain(&error);
        let every = TimeDelta::from_std(self.every).unwrap_or(TimeDelta::MAX);
        let pool = &self.worker.pool;
        let last = pool
            .with_silence_timeout(store::last(guard))
            .await
            .map_err(said)?;
        if last.is_some_and(|last| self.worker.clock.now() - last.at < every) {
            return Ok(None);
        }
        let drift = compare(&self.worker, self.remedy).await?;
        let count = |list: usize| i64::try_from(list).unwrap_or(i64::MAX);
        let checked = Checked {
            at: drift.checked_at,
            terminated_with_access: count(drift.terminated_with_access.len()),
            fixed: count(drift.fixed.len()),
        };
        let noted = store::note(guard, &checked);
        pool.with_silence_timeout(noted).await.map_err(said)?;
        let (found, fixed) = (checked.terminated_with_access, checked.fixed);
        if found > 0 {
            warn!(
                terminated_with_access = found,
                fixed,
                "drift.compare: access that should have ended is there; `leaver drift` lists it"
            );
        } else {
            info!(fixed, "drift.compare: nobody who left has access");
        }
        Ok(Some(checked))
    }
}

impl Job for DriftMonitor {
    const NAME: &'static str = "drift";
    const DROP_ON_STOP: bool = true;

    async fn tick(&mut self) -> Next {
        if let Err(reason) = self.look_when_due().await {
            warn!(reason, "drift.compare: cannot compare now; will try again");
        }
        Next::Poll(LOOK.min(self.every))
    }
}
