//! Ends access at the moment it was announced for. It sleeps until the next one, and runs what it missed.

use std::time::Duration;

use sqlx::Connection;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::db::error::chain;
use crate::db::transaction::roll_back;
use crate::db::transaction::set_lock_timeout;
use crate::engine::Engine;
use crate::engine::accounts::AccountsTable;
use crate::engine::audit::Actor;
use crate::engine::execute::Outcome;
use crate::jobs::deliveries::LoopState;
use crate::roster;

/// How many access ends one transaction carries out.
const SLICE: i64 = 500;
/// The longest sleep: what another replica schedules is seen after this at the latest, well within the
/// two seconds in which an access end is to be carried out.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

impl Engine {
    /// Carries access ends out until stopped.
    pub async fn run_timer(&self, stop: CancellationToken) {
        let mut memory = LoopState::default();
        while !stop.is_cancelled() {
            let schedule_changed = self.schedule_changed.notified();
            let pause = match self.run_due(&mut memory).await {
                Ok(()) => self.time_until_next().await,
                Err(reason) => {
                    memory = LoopState::default();
                    warn!(
                        reason,
                        "timer.run: cannot carry access ends out now; they stay due"
                    );
                    LONGEST_SLEEP
                }
            };
            self.liveness.timer_seen(self.clock.now());
            tokio::select! {
                () = stop.cancelled() => break,
                () = schedule_changed => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Carries out everything that is due now. Tests call this instead of the loop.
    ///
    /// # Errors
    /// What went wrong, in words; what could not be carried out stays due.
    pub async fn run_due(&self, memory: &mut LoopState) -> Result<(), String> {
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
            .execute_partially(&mut tx, table, due, &Actor::Timer, now)
            .await;
        let (outcomes, failure) = match carried_out {
            Ok(done) => done,
            Err(error) => {
                roll_back(tx).await;
                return Err(error);
            }
        };
        tx.commit().await?;
        for (key, outcome) in &outcomes {
            self.count(key.source.as_str(), *outcome, 1);
        }
        let ended = outcomes.values();
        let deactivated = ended.filter(|outcome| **outcome == Outcome::Deactivated);
        info!(
            due = outcomes.len(),
            deactivated = deactivated.count(),
            "timer.run: access ends carried out"
        );
        Ok((outcomes.len(), failure))
    }

    async fn time_until_next(&self) -> Duration {
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
