//! What is done now and then, whether or not anything arrives.

use std::time::Duration;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::db::error::chain;
use crate::engine::Engine;
use crate::ingest::inbox;
use crate::jobs::deliveries::LoopState;
use crate::roster;

/// How often it looks.
const EVERY: Duration = Duration::from_mins(10);
/// No delivery waits longer than this for its next attempt; the longest wait is a little over six minutes.
const LONGEST_WAIT: TimeDelta = TimeDelta::minutes(10);
/// Nor does a read, which is lent out for less; after a failure the API may have asked for more (`roster::due`).
const LONGEST_AFTER_FAILURE: TimeDelta = TimeDelta::minutes(70);
/// So long the same body again is known, where it bears its own times. No sender repeats itself for longer than some
/// hours, and later than that facts decide.
const KNOWN_FOR: TimeDelta = TimeDelta::days(7);
/// So many rows go at a time: little enough for nobody to wait for them.
const SLICE: i64 = 5_000;

impl Engine {
    /// Keeps house until stopped.
    pub async fn run_housekeeping(&self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                kept = self.pool.heard(self.run_housekeeping_once()) => {
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

    /// Has those taken that wait for a time which a clock took back, drops the bodies of deliveries that were parked too
    /// long ago, forgets what was settled too long ago, and looks
    /// what replicas that died had in hand. Tests call this instead of the loop.
    ///
    /// # Errors
    /// Whatever the database says.
    pub async fn run_housekeeping_once(&self) -> Result<(), sqlx::Error> {
        let now = self.clock.now();
        // It has nothing in hand itself.
        self.reclaim_orphans(&LoopState::default()).await?;
        let mut conn = self.pool.acquire().await?;
        let caught_up =
            inbox::store::reset_far_future_attempts(&mut conn, LONGEST_WAIT, now).await?;
        if caught_up > 0 {
            warn!(
                deliveries = caught_up,
                "inbox.catch_up: deliveries were to wait for a time far ahead; they are due now. A clock has stepped back, or those of replicas differ: look at NTP"
            );
            self.arrived.notify_one();
        }
        let reads = roster::pending_reads::store::reset_far_future_attempts(
            &mut conn,
            LONGEST_WAIT,
            LONGEST_AFTER_FAILURE,
            now,
        )
        .await?;
        if reads > 0 {
            warn!(
                reads,
                "due.catch_up: reads were to wait for a time far ahead; they are due now. A clock has stepped back, or those of replicas differ: look at NTP"
            );
            self.reading.notify_one();
        }
        let parked_before = now - self.limits.keep_parked;
        let bodies =
            inbox::retention::store::forget_parked_bodies(&mut conn, parked_before).await?;
        if bodies > 0 {
            info!(
                bodies,
                "inbox.forget: dropped bodies of long parked deliveries (inbox.keep)"
            );
        }
        let known_before = now - self.limits.keep_settled.min(KNOWN_FOR);
        while inbox::retention::store::forget_fingerprints(&mut conn, known_before, SLICE).await?
            > 0
        {}
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
