//! Warns once per silence of a source.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::Connection;
use tracing::{info, warn};

use super::{SilenceThreshold, silent_since, store};
use crate::db::error::error_chain;
use crate::engine::Engine;
use crate::engine::outbox::problems::{Checked, Problem, ProblemCode, record_problems};
use crate::ingest::inbox;
use crate::jobs::runner::{Job, Next};
use leaver_core::domain::SourceName;

/// The time between two checks.
const POLL_INTERVAL: Duration = Duration::from_mins(1);

/// Checks how long each source has been silent.
pub struct SilenceMonitor {
    engine: Arc<Engine>,
    silence_thresholds: Vec<SilenceThreshold>,
    warned: HashSet<SourceName>,
}

impl SilenceMonitor {
    /// Creates a monitor for these sources.
    #[must_use]
    pub fn new(engine: Arc<Engine>, silence_thresholds: Vec<SilenceThreshold>) -> Self {
        Self {
            engine,
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
        let now = self.engine.clock.now();
        let names: Vec<SourceName> = self
            .silence_thresholds
            .iter()
            .map(|threshold| threshold.source.clone())
            .collect();
        let loaded = async {
            let mut conn = self.engine.pool.acquire().await?;
            // One transaction, so that a database at rest has little to do.
            let mut tx = conn.begin().await?;
            store::insert_new(&mut tx, &names, now).await?;
            let since = store::listening_since(&mut tx, &names).await?;
            let last = inbox::queries::store::last_deliveries(&mut tx, &names).await?;
            let silences: Vec<Option<DateTime<Utc>>> = self
                .silence_thresholds
                .iter()
                .zip(last)
                .map(|(threshold, last)| {
                    let since = since.get(threshold.source.as_str()).copied();
                    silent_since(threshold.after, last.at, since, now)
                })
                .collect();
            let problems: Vec<Problem> = names
                .iter()
                .zip(&silences)
                .filter_map(|(source, since)| Some(silence(source, (*since)?)))
                .collect();
            let checked = Checked {
                sources: &names,
                codes: &[ProblemCode::SourceSilent],
                part: None,
            };
            let subscriptions = self.engine.policies.subscriptions();
            let recorded = record_problems(&mut tx, subscriptions, &checked, &problems, now);
            let recorded = recorded.await?;
            tx.commit().await?;
            Ok::<_, sqlx::Error>((silences, recorded))
        };
        let (silences, recorded) = self.engine.pool.with_silence_timeout(loaded).await?;
        self.engine.notify_jobs(false, false, recorded);
        for (threshold, silent_since) in self.silence_thresholds.iter().zip(silences) {
            let source = &threshold.source;
            match silent_since {
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

fn silence(source: &SourceName, since: DateTime<Utc>) -> Problem {
    Problem {
        source: source.clone(),
        code: ProblemCode::SourceSilent,
        part: String::new(),
        since,
        reason: None,
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
