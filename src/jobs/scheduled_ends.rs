//! Ends access at the moment it was announced for. It sleeps until the next one, and runs what it missed.

use std::time::Duration;

use sqlx::Connection;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::db::error::chain;
use crate::db::transaction::roll_back;
use crate::db::transaction::set_lock_timeout;
use crate::engine::Worker;
use crate::engine::accounts::AccountsTable;
use crate::engine::audit::Actor;
use crate::engine::execute::Ending;
use crate::jobs::deliveries::Memory;
use crate::roster;

/// How many access ends one transaction carries out.
const SLICE: i64 = 500;
/// The longest sleep: what another replica schedules is seen after this at the latest, well within the
/// two seconds in which an access end is to be carried out.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

impl Worker {
    /// Carries access ends out until stopped.
    pub async fn run_timer(&self, stop: CancellationToken) {
        let mut memory = Memory::default();
        while !stop.is_cancelled() {
            let rescheduled = self.rescheduled.notified();
            let pause = match self.run_due(&mut memory).await {
                Ok(()) => self.until_next().await,
                Err(reason) => {
                    memory = Memory::default();
                    warn!(
                        reason,
                        "timer.run: cannot carry access ends out now; they stay due"
                    );
                    LONGEST_SLEEP
                }
            };
            self.vitals.timer_seen(self.clock.now());
            tokio::select! {
                () = stop.cancelled() => break,
                () = rescheduled => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Carries out everything that is due now. Tests call this instead of the loop.
    ///
    /// # Errors
    /// What went wrong, in words; what could not be carried out stays due.
    pub async fn run_due(&self, memory: &mut Memory) -> Result<(), String> {
        let table = self.table(memory).await.map_err(|error| chain(&error))?;
        loop {
            let ran = self.pool.heard(self.run_slice(&table)).await;
            let (count, failure) = ran.map_err(|error| chain(&error))?;
            match failure {
                None if count == 0 => return Ok(()),
                Some(error) if count == 0 => return Err(chain(&error)),
                None | Some(_) => {}
            }
        }
    }

    /// How many were looked at, and the last failure of one that was not.
    async fn run_slice(
        &self,
        table: &AccountsTable,
    ) -> Result<(usize, Option<sqlx::Error>), sqlx::Error> {
        let now = self.clock.now();
        let mut conn = self.pool.acquire().await?;
        let mut tx = conn.begin().await?;
        set_lock_timeout(&mut tx).await?;
        let due = roster::store::lock_due(&mut tx, &self.rules.names(), now, SLICE).await?;
        if due.is_empty() {
            return Ok((0, None));
        }
        let carried_out = self
            .carry_out(&mut tx, table, due, &Actor::Timer, now)
            .await;
        let (endings, failure) = match carried_out {
            Ok(done) => done,
            Err(error) => {
                roll_back(tx).await;
                return Err(error);
            }
        };
        tx.commit().await?;
        for (key, ending) in &endings {
            self.count(key.source.as_str(), *ending, 1);
        }
        let ended = endings.values();
        let deactivated = ended.filter(|ending| **ending == Ending::Deactivated);
        info!(
            due = endings.len(),
            deactivated = deactivated.count(),
            "timer.run: access ends carried out"
        );
        Ok((endings.len(), failure))
    }

    async fn until_next(&self) -> Duration {
        let next = async {
            let mut conn = self.pool.acquire().await?;
            roster::store::next_access_end(&mut conn, &self.rules.names()).await
        };
        match self.pool.heard::<_, sqlx::Error>(next).await {
            Ok(Some(at)) => (at - self.clock.now())
                .to_std()
                .unwrap_or(Duration::ZERO)
                .clamp(Duration::from_millis(20), LONGEST_SLEEP),
            Ok(None) | Err(_) => LONGEST_SLEEP,
        }
    }
}
