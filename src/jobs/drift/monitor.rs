//! The service's own look, now and then; one replica at a time.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::compare;
use super::store::{self, Checked};
use crate::db::advisory_lock::AdvisoryLock;
use crate::db::error::chain;
use crate::engine::Engine;
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

    /// Compares until stopped.
    pub async fn run(&self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => break,
                looked = self.look_when_due() => {
                    if let Err(reason) = looked {
                        warn!(reason, "drift.compare: cannot compare now; will try again");
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(LOOK.min(self.every)) => {}
            }
        }
    }

    /// Compares if that is due and no other replica is at it. Tests call this instead of the loop.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub async fn look_when_due(&self) -> Result<Option<Checked>, String> {
        let said = |error: sqlx::Error| chain(&error);
        let turn = AdvisoryLock::take(&self.worker.pool, "drift").await;
        let Some(mut turn) = turn.map_err(said)? else {
            return Ok(None);
        };
        let checked = self.look(&mut turn).await?;
        turn.end().await.map_err(said)?;
        Ok(checked)
    }

    async fn look(&self, guard: &mut PgConnection) -> Result<Option<Checked>, String> {
        let said = |error: sqlx::Error| chain(&error);
        let every = TimeDelta::from_std(self.every).unwrap_or(TimeDelta::MAX);
        let pool = &self.worker.pool;
        let last = pool.heard(store::last(guard)).await.map_err(said)?;
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
        pool.heard(noted).await.map_err(said)?;
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
