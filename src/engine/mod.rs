//! Applies what was observed: merges it into the roster, evaluates it and executes the decision, in one transaction.
//!
//! The background jobs enter here: deliveries, scheduled ends, reads of provider APIs, drift fixes and answered holds.

pub mod accounts;
pub mod audit;
pub mod holds;
pub mod policies;
pub mod observe;
pub mod evaluate;
pub mod execute;
pub mod reevaluate;
mod changes;
mod shared_accounts;

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::{Mutex, Notify, RwLock};

use self::accounts::{AccountsMapping, AccountsTable, MappingError};
use self::execute::Outcome;
use self::policies::Policies;
use crate::base::clock::Clock;
use crate::base::liveness::Liveness;
use crate::base::metrics::Metrics;
use crate::db::pool::Pool;
use crate::jobs::deliveries::LoopState;

/// What the worker is set to.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Deliveries per batch at most.
    pub batch: i64,
    /// Bytes of bodies per batch at most.
    pub batch_bytes: i64,
    /// How often to look without being woken.
    pub poll: Duration,
    /// Failures of one delivery before it counts as failed.
    pub max_attempts: i32,
    /// How long the body of a failed delivery is kept.
    pub keep_parked: TimeDelta,
    /// How long a settled delivery is remembered.
    pub keep_settled: TimeDelta,
}

/// Everything that the loops of this room need.
pub struct Engine {
    /// Connections of its own, so that a busy worker cannot starve the receiving half.
    pub pool: Pool,
    /// Where the application keeps its users.
    pub mapping: AccountsMapping,
    /// How sources are read and judged.
    pub rules: Arc<Policies>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Set when something was stored.
    pub arrived: Arc<Notify>,
    /// Set when an access end was noted or moved.
    pub schedule_changed: Arc<Notify>,
    /// Set when a read of an employee became due.
    pub reading: Arc<Notify>,
    /// Signs of life, for health.
    pub liveness: Arc<Liveness>,
    /// Counters and histograms.
    pub metrics: Arc<Metrics>,
    /// What it is set to.
    pub limits: Limits,
    /// Shared by whoever has a batch in hand; a delivery that is to be alone takes all of it.
    pub hands: RwLock<()>,
    /// Taken by one loop after the other in a rush, when senders come first.
    pub turn: Mutex<()>,
}

impl Engine {
    pub(crate) async fn table(
        &self,
        memory: &mut LoopState,
    ) -> Result<AccountsTable, MappingError> {
        if let Some(table) = &memory.table {
            return Ok(table.clone());
        }
        let inspected = async {
            let mut conn = self.pool.acquire().await?;
            AccountsTable::inspect(&mut conn, &self.mapping).await
        };
        let table = self.pool.heard(inspected).await?;
        memory.table = Some(table.clone());
        Ok(table)
    }

    pub(crate) fn wake(&self, schedule_moved: bool, reads_pending: bool) {
        if schedule_moved {
            self.schedule_changed.notify_one();
        }
        if reads_pending {
            self.reading.notify_one();
        }
    }

    pub(crate) fn count(&self, source: &str, outcome: Outcome, count: usize) {
        self.metrics.ended(source, outcome.as_str(), count);
        if outcome == Outcome::Deactivated {
            self.metrics.deactivated(source, count);
        }
    }
}
