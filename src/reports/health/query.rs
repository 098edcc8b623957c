//! The part of health that the database holds.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::{
    DriftHealth, IncompleteSync, ProviderConfigs, ReadHealth, Schedule, SourceHealth, StartModes,
    TripHealth, start_mode, store,
};
use crate::db::lineage::{self, Restore};
use crate::db::replication::{self, Replication};
use crate::engine::holds;
use crate::engine::holds::store::OpenHolds;
use crate::engine::shadow::{self, ModeRead};
use crate::ingest::inbox;
use crate::ingest::inbox::queries::Backlog;
use crate::jobs::source_silence::{self, SilenceThreshold, silent_since};
use crate::jobs::{drift, provider_webhooks};
use crate::reports::events::{self, DestinationStatus};
use crate::roster;
use crate::roster::linked_accounts::{LinkedAccount, company};
use leaver_core::domain::SourceName;
use leaver_core::providers::{FIELDS_NOT_MAPPED, ProviderConfig, Tenancy};

/// A pending read that fails for longer degrades health. A failure that cannot pass does so at once.
const READ_MAY_FAIL_FOR: TimeDelta = TimeDelta::minutes(1);

/// A scheduled end that is later degrades health.
const END_MAY_BE_LATE_BY: TimeDelta = TimeDelta::minutes(1);

/// The part of the health report that is stored in the database.
#[derive(Clone, Debug, Default)]
pub(super) struct DatabaseHealth {
    pub(super) backlog: Backlog,
    pub(super) schedule: Schedule,
    pub(super) overdue: OverdueEnds,
    pub(super) holds: OpenHolds,
    pub(super) leavers: Leavers,
    pub(super) pending_reads: i64,
    pub(super) failing_reads: FailingReads,
    /// Deliveries that post fields under unknown names only.
    pub(super) unmapped: Vec<DeliveriesOfSource>,
    /// Linked accounts that deliver and are not listed.
    pub(super) unlisted: Vec<UnlistedAccounts>,
    /// Open trips of the safeguard.
    pub(super) trips: Vec<TripHealth>,
    pub(super) drift: Option<DriftHealth>,
    /// `None` where the server refuses to show it.
    pub(super) replication: Option<Replication>,
    /// A way back in time that is not acknowledged.
    pub(super) restore: Option<Restore>,
    pub(super) sources: BTreeMap<String, SourceHealth>,
    /// Destinations of events, in the order of the configuration.
    pub(super) destinations: Vec<DestinationStatus>,
}

/// Scheduled ends that were due a while ago and are neither carried out nor blocked.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OverdueEnds {
    /// Number of them.
    pub(super) count: i64,
    /// When the oldest was due.
    pub(super) oldest_at: Option<DateTime<Utc>>,
}

/// Leavers whose access did not end.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Leavers {
    /// Those whose deactivation the database did not carry out.
    pub(super) blocked: i64,
    /// Those for whom no account is found.
    pub(super) without_account: i64,
}

/// Pending reads that fail.
#[derive(Clone, Debug, Default)]
pub(super) struct FailingReads {
    /// Number of them.
    pub(super) count: i64,
    /// Why one of them failed.
    pub(super) reason: Option<String>,
}

/// Deliveries of a source that failed for one cause.
#[derive(Clone, Debug)]
pub(super) struct DeliveriesOfSource {
    /// The source.
    pub(super) source: String,
    /// Number of them.
    pub(super) count: i64,
}

/// Linked accounts that deliver to a source, have no effect and are not listed.
#[derive(Clone, Debug)]
pub(super) struct UnlistedAccounts {
    /// The source.
    pub(super) source: SourceName,
    /// Merge's ids of the accounts.
    pub(super) accounts: Vec<String>,
}

/// Returns the linked accounts that have no effect, by source.
fn unlisted(accounts: &[LinkedAccount], configs: &ProviderConfigs) -> Vec<UnlistedAccounts> {
    let of_source = |(source, config): (&SourceName, &ProviderConfig)| {
        let company = match config.tenancy {
            Tenancy::One(_) => company(accounts, source),
            Tenancy::ByLinkedAccount(_) => None,
        };
        let others = accounts.iter().filter(|account| {
            account.source == *source
                && account.deleted_at.is_none()
                && company != Some(*account)
                && !config.lists(&account.id)
        });
        UnlistedAccounts {
            source: source.clone(),
            accounts: others.map(|account| account.id.clone()).collect(),
        }
    };
    let mut found: Vec<UnlistedAccounts> = configs.iter().map(of_source).collect();
    found.retain(|unlisted| !unlisted.accounts.is_empty());
    found
}

impl DatabaseHealth {
    pub(super) async fn query(
        conn: &mut PgConnection,
        silence_thresholds: &[SilenceThreshold],
        start_modes: &StartModes,
        configs: &ProviderConfigs,
        destinations: &[String],
        now: DateTime<Utc>,
    ) -> Result<Self, sqlx::Error> {
        let sources: Vec<SourceName> = silence_thresholds
            .iter()
            .map(|one| one.source.clone())
            .collect();
        let (pending, next_at) = roster::store::scheduled_ends_summary(conn).await?;
        let last = inbox::queries::store::last_deliveries(conn, &sources).await?;
        let reads = roster::sync_state::store::list(conn, &sources).await?;
        let listening = source_silence::store::listening_since(conn, &sources).await?;
        let modes = shadow::store::modes(conn, &sources, ModeRead::Shown).await?;
        let drift = drift::store::find_last_check(conn).await?;
        let linked_accounts = roster::linked_accounts::store::list(conn, &sources).await?;
        let known_hooks = provider_webhooks::store::list(conn, &sources).await?;
        let replication = match replication::store::replication(conn).await {
            Err(sqlx::Error::Database(_)) => None,
            found => Some(found?),
        };
        let destinations = if destinations.is_empty() {
            vec![]
        } else {
            events::store::destinations(conn, destinations, now).await?
        };
        Ok(Self {
            destinations,
            replication,
            restore: lineage::store::find_open(conn).await?,
            backlog: inbox::queries::store::backlog(conn, now).await?,
            schedule: Schedule { pending, next_at },
            overdue: store::overdue_ends(conn, &sources, now - END_MAY_BE_LATE_BY).await?,
            holds: holds::store::count_open(conn).await?,
            leavers: store::leavers(conn).await?,
            pending_reads: roster::pending_reads::store::count(conn).await?,
            failing_reads: store::failing_reads(conn, now - READ_MAY_FAIL_FOR).await?,
            unmapped: store::deliveries_with_reason(conn, &sources, FIELDS_NOT_MAPPED).await?,
            unlisted: unlisted(&linked_accounts, configs),
            trips: store::open_trips(conn).await?,
            drift: drift.map(|checked| DriftHealth {
                checked_at: checked.at,
                terminated_with_access: checked.terminated_with_access,
            }),
            sources: last
                .into_iter()
                .zip(silence_thresholds)
                .map(|(entry, alarm)| {
                    let since = listening.get(entry.source.as_str()).copied();
                    let of_source = reads.iter().filter(|reads| reads.source == entry.source);
                    let stored = modes.iter().find(|stored| stored.source == entry.source);
                    let health = SourceHealth {
                        mode: stored.map_or_else(
                            || start_mode(start_modes, &entry.source),
                            |stored| stored.mode,
                        ),
                        last_delivery_at: entry.at,
                        listening_since: since,
                        silent_since: silent_since(alarm.after, entry.at, since, now),
                        last_sync_at: of_source
                            .clone()
                            .filter_map(|reads| reads.last_completed_at)
                            .max(),
                        last_sync: of_source.clone().find_map(|reads| {
                            Some(IncompleteSync {
                                state: "incomplete",
                                reason: reads.incomplete.clone()?,
                                started_at: reads.last_started_at,
                            })
                        }),
                        read: of_source.clone().find_map(|reads| {
                            let read = reads.read_way.clone()?;
                            Some(ReadHealth {
                                way: read.way,
                                because: read.because,
                            })
                        }),
                        webhooks: known_hooks
                            .iter()
                            .filter(|hook| hook.source == entry.source)
                            .cloned()
                            .collect(),
                    };
                    (entry.source.to_string(), health)
                })
                .collect(),
        })
    }
}
