//! Checks that the database did not go back in time: at start, when a flusher has connected, and every 30 seconds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::sync::Notify;
use tracing::{error, warn};

use crate::base::clock::Clock;
use crate::db::error::error_chain;
use crate::db::lineage::{Cause, Memory, Remembered, StateFile, store, went_back};
use crate::db::pool::Pool;
use crate::jobs::runner::{Job, Next};

/// Between two checks.
const INTERVAL: Duration = Duration::from_secs(30);
/// Before a check that failed is repeated.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);
/// Between two writes of the state file.
const FILE_INTERVAL: Duration = Duration::from_secs(1);

/// Compares what this process remembers with the database, and raises its mark.
#[derive(Clone)]
pub struct LineageMonitor {
    pool: Pool,
    clock: Arc<dyn Clock>,
    memory: Arc<Memory>,
    file: Option<StateFile>,
    is_loaded: bool,
    checked_at: Option<Instant>,
    is_failing: bool,
}

impl LineageMonitor {
    /// Creates the job.
    #[must_use]
    pub fn new(
        pool: Pool,
        clock: Arc<dyn Clock>,
        memory: Arc<Memory>,
        file: Option<StateFile>,
    ) -> Self {
        Self {
            pool,
            clock,
            memory,
            file,
            is_loaded: false,
            checked_at: None,
            is_failing: false,
        }
    }

    /// Checks once, and returns the evidence if the database went back. Tests call this instead of running the job.
    ///
    /// # Errors
    /// Returns the database's error; the next check repeats this one.
    pub async fn check(&mut self) -> Result<Option<Cause>, sqlx::Error> {
        self.load().await;
        let now = self.clock.now();
        let (remembered, acknowledged) = self.memory.snapshot();
        let compared = self.compare(&remembered, acknowledged, now);
        let found = self.pool.with_silence_timeout(compared).await?;
        self.save().await;
        Ok(found)
    }

    async fn compare(
        &self,
        remembered: &Remembered,
        acknowledged: u64,
        now: DateTime<Utc>,
    ) -> Result<Option<Cause>, sqlx::Error> {
        let own = self.memory.process();
        let marked_by = remembered.mark.map_or(own, |mark| mark.process);
        let mut conn = self.pool.acquire().await?;
        let Some(found) = store::find(&mut conn, marked_by).await? else {
            return Ok(None);
        };
        let recent = remembered.recent(now);
        let missing = if recent.is_empty() {
            vec![]
        } else {
            store::missing(&mut conn, &recent).await?
        };
        let back = went_back(remembered, &found, &missing, now);
        if let Some((cause, known_until)) = back {
            if store::record(&mut conn, cause, known_until, now).await? {
                error!(
                    cause = cause.as_str(),
                    %known_until,
                    "lineage.check: the database went back in time; run `leaver sync --full` and `leaver webhooks gaps`, then `leaver restores`"
                );
            }
        } else if remembered.mark.is_none() {
            store::delete_old_marks(&mut conn, now).await?;
        }
        let mark = store::mark(&mut conn, own, found.timeline, now).await?;
        self.memory.marked(found.database, mark, now, acknowledged);
        Ok(back.map(|(cause, _)| cause))
    }

    async fn load(&mut self) {
        let Some(file) = self.file.clone().filter(|_| !self.is_loaded) else {
            return;
        };
        self.is_loaded = true;
        match tokio::task::spawn_blocking(move || file.read()).await {
            Ok(Ok(found)) => self.memory.load(found),
            Ok(Err(error)) => {
                warn!(%error, "lineage.load: cannot use the state file");
                self.memory.load(None);
            }
            Err(_) => self.memory.load(None),
        }
    }

    /// Writes the state file if anything has changed. Returns whether it did.
    pub(crate) async fn save(&self) -> bool {
        let Some(file) = self.file.clone() else {
            return false;
        };
        let Some(remembered) = self.memory.take_changed() else {
            return false;
        };
        let written = tokio::task::spawn_blocking(move || file.write(&remembered)).await;
        if let Ok(Err(error)) = written {
            warn!(%error, "lineage.save: cannot write the state file; will retry");
            self.memory.write_again();
        }
        true
    }
}

impl Job for LineageMonitor {
    const NAME: &'static str = "lineage";
    const DROP_ON_STOP: bool = true;

    async fn tick(&mut self) -> Next {
        let since = self.checked_at.map(|at| at.elapsed());
        let is_due = since.is_none_or(|since| since >= INTERVAL);
        if self.memory.take_connected() || is_due {
            self.checked_at = Some(Instant::now());
            let Err(error) = self.check().await else {
                self.is_failing = false;
                return Next::Pause(FILE_INTERVAL);
            };
            // Due again, since a connection may have brought another database.
            self.checked_at = None;
            if !std::mem::replace(&mut self.is_failing, true) {
                let error = error_chain(&error);
                warn!(error, "lineage.check: cannot check now; will retry");
            }
            self.save().await;
            return Next::Pause(RETRY_INTERVAL);
        }
        if self.save().await {
            return Next::Pause(FILE_INTERVAL);
        }
        Next::Poll(INTERVAL.saturating_sub(since.unwrap_or_default()))
    }

    fn wakes_on(&self) -> Option<Arc<Notify>> {
        Some(self.memory.notification())
    }
}
