//! Kills the process at a chosen place.

use std::sync::Arc;
use std::time::Duration;

use leaver::jobs::deliveries::LoopState;
use sqlx::AssertSqlSafe;

use super::ops::{KillPoint, Letter};
use super::world::World;

impl KillPoint {
    /// Which lock of somebody else's makes the worker wait there.
    fn table(self) -> &'static str {
        match self {
            Self::Claimed => "leaver.employees",
            Self::Decided => "users",
            Self::Applied => "leaver.audit",
        }
    }
}

impl World {
    /// A round is begun and stopped by a lock; something may arrive; then the process is no more, with its round, its
    /// connections and its memory. A round that never comes to that place has ended, and only then the process does.
    pub(super) async fn kill(
        &mut self,
        at: KillPoint,
        meanwhile: Option<&Letter>,
    ) -> Result<(), String> {
        let mut somebody = self.app.connect().await;
        let lock = format!("BEGIN; LOCK TABLE {} IN EXCLUSIVE MODE", at.table());
        sqlx::raw_sql(AssertSqlSafe(lock))
            .execute(&mut somebody)
            .await
            .unwrap();
        let worker = Arc::clone(&self.app.parts.deliveries);
        let round = tokio::spawn(async move { worker.round(&mut LoopState::default()).await });
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                       AND application_name = 'leaver' AND wait_event_type = 'Lock'";
        for _ in 0..1_000 {
            if round.is_finished() || self.app.count(waiting).await > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if let Some(letter) = meanwhile {
            self.send(letter).await?;
        }
        round.abort();
        drop(round.await);
        sqlx::raw_sql("ROLLBACK")
            .execute(&mut somebody)
            .await
            .unwrap();
        self.app.wait_until_the_service_is_quiet().await;
        self.start().await;
        Ok(())
    }
}
