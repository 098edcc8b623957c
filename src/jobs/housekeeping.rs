//! Deletes what is kept no longer, and repairs waiting times after a clock jump, every 10 minutes.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use tracing::{info, warn};

use crate::engine::{Failure, previews};
use crate::ingest::inbox;
use crate::jobs::deliveries::{Deliveries, LoopState};
use crate::jobs::outbox;
use crate::jobs::runner::{Job, Next};
use crate::roster;

/// Between two runs.
const INTERVAL: Duration = Duration::from_mins(10);
/// The longest regular wait of a delivery for its next attempt is a little over 6 minutes. A longer one comes from a clock
/// that stepped back.
const MAX_DELIVERY_WAIT: TimeDelta = TimeDelta::minutes(10);
/// The same for a read of an employee, before its first attempt.
const MAX_READ_WAIT: TimeDelta = TimeDelta::minutes(10);
/// The same after a failed attempt: the provider can ask for a wait of an hour (`jobs::sync::pending_reads`).
const MAX_READ_RETRY_WAIT: TimeDelta = TimeDelta::minutes(70);
/// A repeated body that carries event times is detected this long. Providers retry for some hours, and an older replay is
/// harmless: its values are older than what is known.
const DEDUP_WINDOW: TimeDelta = TimeDelta::days(7);
/// Rows per statement, so that no statement holds its locks for long.
const SLICE: i64 = 5_000;

/// How long deliveries and observations are kept.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Bodies of failed deliveries.
    pub failed_bodies: TimeDelta,
    /// Rows of processed, ignored and failed deliveries.
    pub settled: TimeDelta,
    /// Events, after each destination has them or gave up.
    pub events: TimeDelta,
    /// Recorded observations.
    pub observations: TimeDelta,
    /// Lists that were shown to a person.
    pub previews: TimeDelta,
}

/// The housekeeping job.
#[derive(Clone)]
pub struct Housekeeping {
    deliveries: Arc<Deliveries>,
    retention: Retention,
}

impl Housekeeping {
    /// Creates the job.
    #[must_use]
    pub fn new(deliveries: Arc<Deliveries>, retention: Retention) -> Self {
        Self {
            deliveries,
            retention,
        }
    }

    /// Runs once: reclaims deliveries of processes that ended, repairs waiting times, and deletes what has expired. Tests
    /// call this instead of running the job.
    ///
    /// # Errors
    /// Returns the failure; each step that came before it is committed.
    pub async fn run_once(&self) -> Result<(), Failure> {
        let engine = &self.deliveries.engine;
        let now = engine.clock.now();
        self.deliveries
            .reclaim_orphans(&LoopState::default())
            .await?;
        let mut conn = engine.pool.acquire().await?;
        let deliveries =
            inbox::store::reset_far_future_attempts(&mut conn, MAX_DELIVERY_WAIT, now).await?;
        if deliveries > 0 {
            warn!(
                deliveries,
                "inbox.catch_up: deliveries waited for a time too far ahead; they are due now. A clock stepped back, or the clocks of replicas differ: check NTP"
            );
            engine.notifications.deliveries_arrived.notify_one();
        }
        let reads = roster::pending_reads::store::reset_far_future_attempts(
            &mut conn,
            MAX_READ_WAIT,
            MAX_READ_RETRY_WAIT,
            now,
        )
        .await?;
        if reads > 0 {
            warn!(
                reads,
                "pending_reads.catch_up: reads waited for a time too far ahead; they are due now. A clock stepped back, or the clocks of replicas differ: check NTP"
            );
            engine.notifications.reads_due.notify_one();
        }
        let failed_before = now - self.retention.failed_bodies;
        let bodies =
            inbox::retention::store::forget_failed_bodies(&mut conn, failed_before).await?;
        if bodies > 0 {
            info!(
                bodies,
                "housekeeping.delete: deleted bodies of failed deliveries"
            );
        }
        let detected_since = now - self.retention.settled.min(DEDUP_WINDOW);
        loop {
            let forget = inbox::retention::store::forget_fingerprints;
            if forget(&mut conn, detected_since, SLICE).await? == 0 {
                break;
            }
        }
        let settled_before = now - self.retention.settled;
        let mut settled = 0;
        loop {
            match inbox::retention::store::forget_settled(&mut conn, settled_before, SLICE).await? {
                0 => break,
                deleted => settled += deleted,
            }
        }
        if settled > 0 {
            info!(
                deliveries = settled,
                "housekeeping.delete: deleted old deliveries"
            );
        }
        self.delete_observations(&mut conn, now).await?;
        let subscriptions = engine.policies.subscriptions();
        outbox::retention::run(&mut conn, subscriptions, self.retention.events, now).await?;
        let shown_before = now - self.retention.previews;
        while previews::store::delete_before(&mut conn, shown_before, SLICE).await? > 0 {}
        Ok(())
    }

    async fn delete_observations(
        &self,
        conn: &mut PgConnection,
        now: DateTime<Utc>,
    ) -> Result<(), Failure> {
        let before = now - self.retention.observations;
        let mut observations = 0;
        loop {
            let delete = roster::observations::store::delete_before;
            match delete(conn, before, SLICE).await? {
                0 => break,
                deleted => observations += deleted,
            }
        }
        if observations > 0 {
            info!(
                observations,
                "housekeeping.delete: deleted old observations"
            );
        }
        Ok(())
    }
}

impl Job for Housekeeping {
    const NAME: &'static str = "housekeeping";
    const DROP_ON_STOP: bool = true;

    async fn tick(&mut self) -> Next {
        let pool = &self.deliveries.engine.pool;
        if let Err(failure) = pool.with_silence_timeout(self.run_once()).await {
            warn!(error = %failure, "housekeeping.run: failed; the next run is in 10 minutes");
        }
        Next::Poll(INTERVAL)
    }
}
