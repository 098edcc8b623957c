//! What is done now and then, whether or not anything arrives.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Worker, chain};
use crate::inbox;

impl Worker {
    /// Drops the bodies of deliveries that were parked too long ago, once an hour.
    pub async fn run_housekeeping(&self, stop: CancellationToken) {
        loop {
            let before = self.clock.now() - self.limits.keep_parked;
            let forgotten = async {
                let mut conn = self.pool.acquire().await?;
                inbox::store::forget_parked_bodies(&mut conn, before).await
            };
            match forgotten.await {
                Ok(0) => {}
                Ok(bodies) => info!(
                    bodies,
                    "inbox.forget: dropped bodies of long parked deliveries (inbox.keep)"
                ),
                Err(error) => warn!(
                    error = chain(&error),
                    "inbox.forget: failed; will try again in an hour"
                ),
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(Duration::from_hours(1)) => {}
            }
        }
    }
}
