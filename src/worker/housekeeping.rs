//! What is done now and then, whether or not anything arrives.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Memory, Worker, chain};
use crate::inbox;

/// How often it looks.
const EVERY: Duration = Duration::from_mins(10);
/// So many rows go at a time: little enough for nobody to wait for them.
const SLICE: i64 = 5_000;

impl Worker {
    /// Keeps house until stopped.
    pub async fn run_housekeeping(&self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                kept = self.keep_house() => {
                    if let Err(error) = kept {
                        warn!(
                            error = chain(&error),
                            "inbox.forget: failed; will try again in ten minutes"
                        );
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// Drops the bodies of deliveries that were parked too long ago, forgets what was settled too long ago, and looks
    /// what replicas that died had in hand. Tests call this instead of the loop.
    ///
    /// # Errors
    /// Whatever the database says.
    pub async fn keep_house(&self) -> Result<(), sqlx::Error> {
        let now = self.clock.now();
        // It has nothing in hand itself.
        self.take_orphaned(&Memory::default()).await?;
        let mut conn = self.pool.acquire().await?;
        let parked_before = now - self.limits.keep_parked;
        let bodies =
            inbox::retention::store::forget_parked_bodies(&mut conn, parked_before).await?;
        if bodies > 0 {
            info!(
                bodies,
                "inbox.forget: dropped bodies of long parked deliveries (inbox.keep)"
            );
        }
        let settled_before = now - self.limits.keep_settled;
        let mut deliveries = 0;
        loop {
            match inbox::retention::store::forget_settled(&mut conn, settled_before, SLICE).await? {
                0 => break,
                more => deliveries += more,
            }
        }
        if deliveries > 0 {
            info!(
                deliveries,
                "inbox.forget: forgot what was settled long ago (inbox.retention)"
            );
        }
        Ok(())
    }
}
