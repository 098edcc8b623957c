//! Applies what was observed: merges it into the roster, evaluates it and executes the decision, in one transaction.
//!
//! The background jobs enter here: deliveries, scheduled access ends, reads of provider APIs and drift fixes. Holds are
//! resolved in [`holds::resolve`].

pub mod accounts;
pub mod batches;
pub(crate) mod audit;
pub mod holds;
pub(crate) mod outbox;
pub mod origin;
pub(crate) mod policies;
mod failed_reads;
pub(crate) mod failure;
pub(crate) mod observe;
pub(crate) mod evaluate;
pub mod execute;
mod outcome;
mod effects;
pub mod end;
pub(crate) mod reevaluate;
mod changes;
mod reconcile;
pub mod previews;
pub mod safeguard;
pub mod shadow;
mod records;
mod shared_accounts;
mod tenants;
pub mod undo;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Notify;

use self::accounts::{AccountsMapping, AccountsTable};
use self::execute::Outcome;
pub(crate) use self::failure::Failure;
use self::policies::Policies;
use crate::base::clock::Clock;
use crate::base::metrics::Metrics;
use crate::base::traces::Traces;
use crate::db::pool::Pool;

/// Everything the engine needs: the database, the policies of all sources and the application's accounts table.
pub struct Engine {
    /// Connections of the background jobs. Requests use others, so that busy jobs cannot starve them.
    pub pool: Pool,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Names of the application's accounts table and its columns.
    pub mapping: AccountsMapping,
    /// Policies of all configured sources.
    pub policies: Arc<Policies>,
    /// Wakes background jobs.
    pub notifications: Notifications,
    /// Counters and histograms.
    pub metrics: Arc<Metrics>,
    /// Spans; off unless it is set.
    pub traces: Traces,
    /// The accounts table as last inspected, shared by all jobs.
    accounts_table: Mutex<Option<KnownTable>>,
}

/// The longest time for which the catalog is not looked at. A change there, such as a new policy, needs no restart.
const CATALOG_INTERVAL: TimeDelta = TimeDelta::seconds(10);

/// An inspected accounts table.
#[derive(Clone)]
struct KnownTable {
    table: Arc<AccountsTable>,
    /// When the catalog was like this last.
    seen_at: DateTime<Utc>,
}

impl KnownTable {
    /// Returns whether the catalog was looked at recently. A time ahead of now comes from a clock that stepped back.
    fn is_recent(&self, now: DateTime<Utc>) -> bool {
        (TimeDelta::zero()..CATALOG_INTERVAL).contains(&(now - self.seen_at))
    }
}

/// Wakes background jobs of this process before their next poll.
#[derive(Clone, Debug, Default)]
pub struct Notifications {
    /// A delivery was stored.
    pub deliveries_arrived: Arc<Notify>,
    /// An access end was scheduled or moved.
    pub schedule_changed: Arc<Notify>,
    /// A read of an employee became due.
    pub reads_due: Arc<Notify>,
    /// An event was recorded.
    pub events_recorded: Arc<Notify>,
    /// True while messages of other processes arrive. Otherwise the jobs have to poll.
    pub is_listening: Arc<AtomicBool>,
}

impl Engine {
    /// Creates an engine. Connects when a connection is first needed.
    #[must_use]
    pub fn new(
        pool: Pool,
        clock: Arc<dyn Clock>,
        mapping: AccountsMapping,
        policies: impl Into<Arc<Policies>>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            pool,
            clock,
            mapping,
            policies: policies.into(),
            notifications: Notifications::default(),
            metrics,
            traces: Traces::default(),
            accounts_table: Mutex::default(),
        }
    }

    /// Returns the accounts table, inspected now or earlier. It is inspected again if the catalog differs from what was
    /// inspected. At an inspection, sources that are new get their mode.
    pub(crate) async fn accounts_table(&self) -> Result<Arc<AccountsTable>, Failure> {
        let known = self.known_table().clone();
        let now = self.clock.now();
        if let Some(known) = &known
            && known.is_recent(now)
        {
            return Ok(Arc::clone(&known.table));
        }
        let inspected = async {
            let mut conn = self.pool.acquire().await?;
            if let Some(KnownTable { table, .. }) = known
                && table.is_current(&mut conn).await?
            {
                return Ok(table);
            }
            // Before any work, so that no transaction of ours holds a new row.
            shadow::store_start_modes(&mut conn, &self.policies, now).await?;
            let table = AccountsTable::inspect(&mut conn, &self.mapping).await?;
            let tenants = self.policies.tenants();
            accounts::protected::remember_all(&mut conn, &table, &tenants, now).await?;
            Ok::<_, accounts::MappingError>(Arc::new(table))
        };
        let table = self.pool.with_silence_timeout(inspected).await?;
        *self.known_table() = Some(KnownTable {
            table: Arc::clone(&table),
            seen_at: now,
        });
        Ok(table)
    }

    /// Remembers the accounts that have a protected address now.
    ///
    /// # Errors
    /// Returns the failure; nothing was changed then.
    pub(crate) async fn remember_protection(&self) -> Result<(), Failure> {
        let table = self.accounts_table().await?;
        let remembered = async {
            let mut conn = self.pool.acquire().await?;
            let (tenants, now) = (self.policies.tenants(), self.clock.now());
            accounts::protected::remember_all(&mut conn, &table, &tenants, now).await
        };
        Ok(self.pool.with_silence_timeout(remembered).await?)
    }

    /// Has the accounts table inspected again before its next use. Called after a failure: a cached plan or the mapping may
    /// be out of date.
    pub(crate) fn forget_accounts_table(&self) {
        *self.known_table() = None;
    }

    fn known_table(&self) -> std::sync::MutexGuard<'_, Option<KnownTable>> {
        let table = self.accounts_table.lock();
        table.unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the jobs that a commit concerns.
    pub(crate) fn notify_jobs(
        &self,
        schedule_changed: bool,
        reads_pending: bool,
        events_recorded: bool,
    ) {
        if schedule_changed {
            self.notifications.schedule_changed.notify_one();
        }
        if reads_pending {
            self.notifications.reads_due.notify_one();
        }
        if events_recorded {
            self.notifications.events_recorded.notify_one();
        }
    }

    /// Counts outcomes of a source in the metrics, after the commit.
    pub(crate) fn count(&self, source: &str, outcome: Outcome, count: usize) {
        self.metrics.ended(source, outcome.as_str(), count);
        if outcome == Outcome::Blocked {
            // The table may have been altered since.
            self.forget_accounts_table();
        }
        if outcome == Outcome::Deactivated {
            self.metrics.deactivated(source, count);
        }
    }
}
