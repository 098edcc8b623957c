//! The periodic comparison. One replica at a time compares.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use sqlx::{Connection, PgConnection};
use tracing::{info, warn};

use super::compare::compare_and_store;
use super::news::{self, Known};
use super::store::{self, LastCheck};
use super::{DriftReport, Finding};
use crate::db::advisory_lock::AdvisoryLock;
use crate::engine::{Engine, Failure, outbox};
use crate::jobs::runner::{Job, Next};
use leaver_core::decision::policy::DriftMode;
use leaver_core::events::EventType;

/// How often each replica looks up whether a comparison is due.
const POLL_INTERVAL: Duration = Duration::from_mins(1);

/// Compares the roster with the accounts whenever a comparison is due.
pub struct DriftMonitor {
    engine: Arc<Engine>,
    mode: DriftMode,
    interval: Duration,
}

impl DriftMonitor {
    /// Creates a monitor that compares once per `interval`.
    #[must_use]
    pub fn new(engine: Arc<Engine>, mode: DriftMode, interval: Duration) -> Self {
        Self {
            engine,
            mode,
            interval,
        }
    }

    /// Compares once. Returns `None` if no comparison is due or another replica is comparing. Tests call this instead of
    /// the job.
    ///
    /// # Errors
    /// Returns the failure; the comparison stays due then.
    pub async fn check_if_due(&self) -> Result<Option<LastCheck>, Failure> {
        let pool = &self.engine.pool;
        let last = async {
            let mut conn = pool.acquire().await?;
            store::find_last_check(&mut conn).await
        };
        let last: Result<_, sqlx::Error> = pool.with_silence_timeout(last).await;
        if !self.is_due(last?.as_ref()) {
            return Ok(None);
        }
        let Some(mut lock) = AdvisoryLock::try_acquire(pool, "drift").await? else {
            return Ok(None);
        };
        let checked = self.check(&mut lock).await?;
        lock.release().await?;
        Ok(checked)
    }

    fn is_due(&self, last: Option<&LastCheck>) -> bool {
        let interval = TimeDelta::from_std(self.interval).unwrap_or(TimeDelta::MAX);
        last.is_none_or(|last| self.engine.clock.now() - last.at >= interval)
    }

    async fn check(&self, lock: &mut PgConnection) -> Result<Option<LastCheck>, Failure> {
        let pool = &self.engine.pool;
        let last = pool
            .with_silence_timeout(store::find_last_check(lock))
            .await?;
        // Again, since another replica may have compared before we had the lock.
        if !self.is_due(last.as_ref()) {
            return Ok(None);
        }
        self.engine.remember_protection().await?;
        let mut known = Known::default();
        let report = {
            let mut on_found = |finding: &Finding| known.add(finding);
            compare_and_store(&self.engine, self.mode, true, &mut on_found, &|_| {}).await?
        };
        let count = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
        let mut checked = LastCheck {
            at: report.checked_at,
            terminated_with_access: count(report.unplanned_access()),
            fixed: count(report.counts.fixed),
            known: known.sorted(),
            reported_at: last.as_ref().and_then(|last| last.reported_at),
        };
        let subscriptions = self.engine.policies.subscriptions();
        let event = news::event(&report, &checked, last.as_ref())
            .filter(|_| subscriptions.wants(EventType::DriftFound));
        let Some(event) = event else {
            let saved = store::save_last_check(lock, &checked);
            pool.with_silence_timeout(saved).await?;
            log(&report, &checked);
            return Ok(Some(checked));
        };
        checked.reported_at = Some(checked.at);
        let saved = async {
            let mut tx = lock.begin().await?;
            store::save_last_check(&mut tx, &checked).await?;
            outbox::record(&mut tx, subscriptions, [event], checked.at).await?;
            tx.commit().await
        };
        pool.with_silence_timeout(saved).await?;
        self.engine.notify_jobs(false, false, true);
        log(&report, &checked);
        Ok(Some(checked))
    }
}

fn log(report: &DriftReport, checked: &LastCheck) {
    let (found, fixed) = (checked.terminated_with_access, checked.fixed);
    if found > 0 {
        warn!(
            terminated_with_access = found,
            fixed, "drift.check: terminated employees have access; `leaver drift` lists them"
        );
    } else {
        info!(fixed, "drift.check: no terminated employee has access");
    }
    let unmatched = report.counts.leavers_without_account;
    if unmatched > 0 {
        warn!(
            unmatched,
            "drift.check: no account is found for employees who left; `leaver drift` lists them"
        );
    }
}

impl Job for DriftMonitor {
    const NAME: &'static str = "drift";
    const DROP_ON_STOP: bool = true;

    async fn tick(&mut self) -> Next {
        if let Err(error) = self.check_if_due().await {
            warn!(%error, "drift.check: cannot compare now; will retry");
        }
        Next::Poll(POLL_INTERVAL.min(self.interval))
    }
}
