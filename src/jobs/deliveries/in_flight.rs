//! What this worker has in hand is written down before it begins, and after a crash it is known what that was.

use chrono::{DateTime, Utc};
use sqlx::Connection;
use tracing::{error, warn};
use uuid::Uuid;

use super::retry::{Failed, next_step_after_failure};
use crate::engine::Engine;
use crate::ingest::inbox;
use crate::ingest::inbox::in_flight::{self, Orphaned};
use crate::jobs::deliveries::LoopState;
use leaver_core::domain::DeliveryId;

/// So often the process may end while one delivery is in hand and nothing else, before it counts as failed.
const MOST_CRASHES: i32 = 3;

impl Engine {
    /// Writes down what is in hand, on a connection beside the batch's own.
    pub(crate) async fn mark(
        &self,
        loop_id: Uuid,
        deliveries: &[DeliveryId],
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        let mut beside = self.pool.acquire().await?;
        in_flight::store::mark(&mut beside, loop_id, deliveries, now).await
    }

    /// Nothing is in hand any more: what was begun has been taken back.
    pub(crate) async fn forget_mark(&self, loop_id: Uuid) -> Result<(), sqlx::Error> {
        let forgotten = async {
            let mut conn = self.pool.acquire().await?;
            in_flight::store::forget(&mut conn, loop_id).await
        };
        self.pool.heard(forgotten).await
    }

    /// Looks what workers that died had in hand: each is taken by itself from now on; one that was has failed once
    /// more.
    ///
    /// # Errors
    /// Whatever the database says.
    pub async fn reclaim_orphans(&self, memory: &LoopState) -> Result<(), sqlx::Error> {
        let now = self.clock.now();
        let mut conn = self.pool.acquire().await?;
        let mut tx = conn.begin().await?;
        for orphaned in in_flight::store::reclaim_orphans(&mut tx, memory.id).await? {
            match orphaned {
                Orphaned::Any(ids) => {
                    warn!(
                        deliveries = ids.len(),
                        "worker.process: the service ended while these were processed; they are taken one by one"
                    );
                    in_flight::store::isolate(&mut tx, &ids).await?;
                }
                Orphaned::One(id) => {
                    let Some(delivery) = inbox::store::lock(&mut tx, id).await? else {
                        continue;
                    };
                    error!(delivery = %id, "worker.process: the service ended while this was processed");
                    let failed = Failed {
                        reason: "the service ended while it was processed: report that as a bug"
                            .to_owned(),
                        most: self.limits.max_attempts.min(MOST_CRASHES),
                    };
                    next_step_after_failure(self, &mut tx, &delivery, &failed, now).await?;
                }
            }
        }
        tx.commit().await
    }
}
