//! What follows when a batch could not be carried out: it is tried again in halves, and what fails alone waits,
//! longer each time, until waiting has not helped.

use chrono::{DateTime, TimeDelta, Utc};
use tracing::{error, warn};

use super::{Failure, Memory, Round, Worker, chain, database_cause, is_locked_out, process};
use crate::domain::DeliveryId;
use crate::inbox::{self, End, Settlement};

impl Worker {
    pub(super) async fn recover(
        &self,
        memory: &mut Memory,
        failure: Failure,
        now: DateTime<Utc>,
    ) -> Round {
        // A cached plan or a mapping may be out of date; looking again is cheap and heals it.
        memory.table = None;
        if failure.is_outage() {
            warn!(
                error = chain(&failure.error),
                "worker.process: the database is not there; deliveries wait"
            );
            return Round::Outage;
        }
        match failure.claimed.as_slice() {
            [] => {
                error!(
                    error = chain(&failure.error),
                    "worker.claim: cannot claim deliveries"
                );
                Round::Outage
            }
            [alone] => match self.put_aside(*alone, &failure.error, now).await {
                Ok(()) => Round::PutAside,
                Err(error) => {
                    warn!(
                        error = chain(&error),
                        "worker.process: cannot note a failed attempt"
                    );
                    Round::Outage
                }
            },
            several => {
                let half = i64::try_from(several.len() / 2).unwrap_or(1).max(1);
                warn!(
                    error = chain(&failure.error),
                    deliveries = several.len(),
                    "worker.process: a batch failed; trying halves"
                );
                memory.halved_to = Some(half);
                Round::Halved
            }
        }
    }

    /// Lets a delivery that fails alone wait, longer each time, and parks it when that has not helped.
    async fn put_aside(
        &self,
        id: DeliveryId,
        error: &sqlx::Error,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        let mut tx = self.pool.begin().await?;
        let cause = database_cause(error);
        let Some(delivery) = inbox::store::lock(&mut tx, id).await? else {
            // Another replica has settled it in the meantime.
            return Ok(());
        };
        let attempts = delivery.attempts + 1;
        // A lock that the application holds is nobody's fault, however long it is held.
        if attempts >= self.limits.max_attempts && !is_locked_out(error) {
            let cause = format!("failed {attempts} times, last: {cause}");
            error!(delivery = %id, cause, "worker.process: parked");
            let settlement = Settlement {
                id,
                end: End::Parked { cause },
                employee_ids: process::named(&self.rules, &delivery),
            };
            inbox::store::settle(&mut tx, &[settlement], now).await?;
            self.metrics.parked();
        } else {
            let at = now + backoff(id, attempts);
            warn!(delivery = %id, attempts, cause, next_attempt_at = %at, "worker.process: failed; will try again");
            inbox::store::postpone(&mut tx, id, &cause, at).await?;
        }
        tx.commit().await
    }
}

/// Doubles from two seconds to five minutes; each delivery is spread by its own id, so that a crowd that
/// failed together does not come back together.
pub(super) fn backoff(id: DeliveryId, attempts: i32) -> TimeDelta {
    let exponent = u32::try_from(attempts.clamp(1, 9)).unwrap_or(9);
    let base_ms = (1_000_i64 << exponent).min(300_000);
    let spread = i64::from(id.0.as_bytes()[15]) * base_ms / 1_024;
    TimeDelta::milliseconds(base_ms + spread)
}
