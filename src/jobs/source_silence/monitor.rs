//! Warns once per silence.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::{SilenceThreshold, silent_since, store};
use crate::base::clock::Clock;
use crate::db::error::error_chain;
use crate::db::pool::Pool;
use crate::ingest::inbox;
use crate::jobs::runner::{Job, Next};
use leaver_core::domain::SourceName;

/// How often it looks.
const LOOK: Duration = Duration::from_mins(1);

/// Looks how long each source has been silent.
pub struct SilenceMonitor {
    pool: Pool,
    clock: Arc<dyn Clock>,
    silence_thresholds: Vec<SilenceThreshold>,
    told: HashSet<SourceName>,
}

impl SilenceMonitor {
    /// Over these sources.
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
            told: HashSet::new(),
        }
    }

    /// Warns of each source that has gone silent and that is not among those told of. Tests call this instead of
    /// the loop.
    ///
    /// # Errors
    /// Whatever the database says.
    pub async fn look(&self, told: &mut HashSet<SourceName>) -> Result<(), sqlx::Error> {
        let now = self.clock.now();
        let names: Vec<SourceName> = self
            .silence_thresholds
            .iter()
            .map(|one| one.source.clone())
            .collect();
        let asked = async {
            let mut conn = self.pool.acquire().await?;
            store::note(&mut conn, &names, now).await?;
            let since = store::since(&mut conn, &names).await?;
            let last = inbox::queries::store::last_deliveries(&mut conn, &names).await?;
            Ok::<_, sqlx::Error>((since, last))
        };
        let (since, last) = self.pool.with_silence_timeout(asked).await?;
        for (alarm, last) in self.silence_thresholds.iter().zip(last) {
            let source = &alarm.source;
            let listening = since.get(source.as_str()).copied();
            match silent_since(alarm.after, last.at, listening, now) {
                Some(since) if told.insert(source.clone()) => {
                    warn!(%source, %since, "silence.look: nothing has arrived for longer than max_silence; does the webhook still exist, and whoever made it still work there?");
                }
                None if told.remove(source) => {
                    info!(%source, "silence.look: it is heard of again");
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
        let mut told = std::mem::take(&mut self.told);
        let looked = self.look(&mut told).await;
        self.told = told;
        if let Err(error) = looked {
            warn!(
                error = error_chain(&error),
                "silence.look: cannot look now; will try again"
            );
        }
        Next::Poll(LOOK)
    }
}
