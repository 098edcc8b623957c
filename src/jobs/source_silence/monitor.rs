//! Warns once per silence of a source.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection;
use tracing::{info, warn};

use super::{SilenceThreshold, silent_since, store};
use crate::base::clock::Clock;
use crate::db::error::error_chain;
use crate::db::pool::Pool;
use crate::ingest::inbox;
use crate::jobs::runner::{Job, Next};
use leaver_core::domain::SourceName;

/// The time between two checks.
const POLL_INTERVAL: Duration = Duration::from_mins(1);

/// Checks how long each source has been silent.
pub struct SilenceMonitor {
    pool: Pool,
    clock: Arc<dyn Clock>,
    silence_thresholds: Vec<SilenceThreshold>,
    warned: HashSet<SourceName>,
}

impl SilenceMonitor {
    /// Creates a monitor for these sources.
    #[must_use]
    pub fn new(
        pool: Pool,
        clock: Arc<dyn Clock>,
        silence_thresholds: Vec<SilenceThreshold>,
    ) -> Self {
        Self {
            pool,
            clock,
            silence_thresholds,
            warned: HashSet::new(),
        }
    }

    /// Warns of each silent source that is not in `warned`, and keeps that set up to date. Tests call this instead of
    /// the job.
    ///
    /// # Errors
    /// Returns our database's error; no warning was logged then.
    pub async fn check(&self, warned: &mut HashSet<SourceName>) -> Result<(), sqlx::Error> {
        let now = self.clock.now();
        let names: Vec<SourceName> = self
            .silence_thresholds
            .iter()
            .map(|threshold| threshold.source.clone())
            .collect();
        let loaded = async {
            let mut conn = self.pool.acquire().await?;
            // One transaction, so that a database at rest has little to do.
            let mut tx = conn.begin().await?;
            store::insert_new(&mut tx, &names, now).await?;
            let since = store::listening_since(&mut tx, &names).await?;
            let last = inbox::queries::store::last_deliveries(&mut tx, &names).await?;
            tx.commit().await?;
            Ok::<_, sqlx::Error>((since, last))
        };
        let (listening_since, last) = self.pool.with_silence_timeout(loaded).await?;
        for (threshold, last) in self.silence_thresholds.iter().zip(last) {
            let source = &threshold.source;
            let listening_since = listening_since.get(source.as_str()).copied();
            match silent_since(threshold.after, last.at, listening_since, now) {
                Some(since) if warned.insert(source.clone()) => {
                    warn!(%source, %since, "source_silence.check: nothing arrived for longer than `max_silence`; check that the webhook exists and that the user who made it is active");
                }
                None if warned.remove(source) => {
                    info!(%source, "source_silence.check: deliveries arrive again");
                }
                Some(_) | None => {}
            }
        }
        Ok(())
    }
}

impl Job for SilenceMonitor {
    const NAME: &'static str = "source_silence";

    async fn tick(&mut self) -> Next {
        let mut warned = std::mem::take(&mut self.warned);
        let checked = self.check(&mut warned).await;
        self.warned = warned;
        if let Err(error) = checked {
            warn!(
                error = error_chain(&error),
                "source_silence.check: cannot check now; will retry"
            );
        }
        Next::Poll(POLL_INTERVAL)
    }
}
