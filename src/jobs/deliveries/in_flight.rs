//! Records which deliveries a worker processes, before it begins. After a crash, other workers know which deliveries may have
//! caused it.

use chrono::{DateTime, Utc};
use sqlx::Connection;
use tracing::{error, warn};
use uuid::Uuid;

use super::retry::Failed;
use super::{Deliveries, LoopState};
use crate::engine::Failure;
use crate::ingest::inbox;
use crate::ingest::inbox::in_flight::{self, Orphaned};
use leaver_core::domain::DeliveryId;

/// Crashes with only this delivery in flight before it fails for good.
const MAX_CRASHES: i32 = 3;

impl Deliveries {
    /// Records what a worker processes, on a connection other than the batch's: it must be visible before the batch commits.
    pub(crate) async fn mark_in_flight(
        &self,
        worker: Uuid,
        deliveries: &[DeliveryId],
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        let mut conn = self.engine.pool.acquire().await?;
        in_flight::store::mark(&mut conn, worker, deliveries, now).await
    }

    /// Deletes the record of a batch that was rolled back.
    pub(crate) async fn clear_in_flight(&self, worker: Uuid) -> Result<(), sqlx::Error> {
        let cleared = async {
            let mut conn = self.engine.pool.acquire().await?;
            in_flight::store::forget(&mut conn, worker).await
        };
        self.engine.pool.with_silence_timeout(cleared).await
    }

    /// Handles deliveries that were in flight in processes that ended. If there were several, each is isolated: processed
    /// alone from now on. A single one counts a failed attempt. The record of the worker with this state is left alone.
    ///
    /// # Errors
    /// Returns the failure; nothing has changed then.
    pub async fn reclaim_orphans(&self, state: &LoopState) -> Result<(), Failure> {
        let now = self.engine.clock.now();
        let mut conn = self.engine.pool.acquire().await?;
        let mut tx = conn.begin().await?;
        for orphaned in in_flight::store::reclaim_orphans(&mut tx, state.id).await? {
            match orphaned {
                Orphaned::Any(ids) => {
                    warn!(
                        deliveries = ids.len(),
                        "deliveries.reclaim: the process ended while these were in flight; they are processed one by one"
                    );
                    in_flight::store::isolate(&mut tx, &ids).await?;
                }
                Orphaned::One(id) => {
                    let Some(delivery) = inbox::store::lock(&mut tx, id).await? else {
                        continue;
                    };
                    error!(delivery = %id, "deliveries.reclaim: the process ended while this was in flight");
                    let failed = Failed {
                        reason: "the service ended while it was processed: report that as a bug"
                            .to_owned(),
                        max_attempts: self.config.max_attempts.min(MAX_CRASHES),
                        is_lock: false,
                    };
                    self.next_step_after_failure(&mut tx, &delivery, &failed, now)
                        .await?;
                }
            }
        }
        tx.commit().await?;
        Ok(())
    }
}
