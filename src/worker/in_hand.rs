//! What this worker has in hand is written down before it begins, and after a crash it is known what that was.

use chrono::{DateTime, Utc};
use sqlx::Connection;
use tracing::{error, warn};
use uuid::Uuid;

use super::recover::{Failed, what_follows};
use super::{Memory, Worker};
use crate::domain::DeliveryId;
use crate::inbox;
use crate::inbox::under_way::{self, Orphaned};

/// So often the process may end while one delivery is in hand and nothing else, before it counts as failed.
const MOST_CRASHES: i32 = 3;

impl Worker {
    /// Writes down what is in hand, on a connection beside the batch's own.
    pub(super) async fn mark(
        &self,
        loop_id: Uuid,
        deliveries: &[DeliveryId],
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        let mut beside = self.pool.acquire().await?;
        under_way::store::mark(&mut beside, loop_id, deliveries, now).await
    }

    /// Nothing is in hand any more: what was begun has been taken back.
    pub(super) async fn forget_mark(&self, loop_id: Uuid) -> Result<(), sqlx::Error> {
        let forgotten = async {
            let mut conn = self.pool.acquire().await?;
            under_way::store::forget(&mut conn, loop_id).await
        };
        self.pool.heard(forgotten).await
    }

    /// Looks what workers that died had in hand: each is taken by itself from now on; one that was has failed once
    /// more.
    ///
    /// # Errors
    /// Whatever the database says.
    pub async fn take_orphaned(&self, memory: &Memory) -> Result<(), sqlx::Error> {
        let now = self.clock.now();
        let mut conn = self.pool.acquire().await?;
        let mut tx = conn.begin().await?;
        for orphaned in under_way::store::take_orphaned(&mut tx, memory.id).await? {
            match orphaned {
                Orphaned::Any(ids) => {
                    warn!(
                        deliveries = ids.len(),
                        "worker.process: the service ended while these were processed; they are taken one by one"
                    );
                    under_way::store::set_apart(&mut tx, &ids).await?;
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
                    what_follows(self, &mut tx, &delivery, &failed, now).await?;
                }
            }
        }
        tx.commit().await
    }
}
