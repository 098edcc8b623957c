//! The part of health that the database holds.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{DriftHealth, IncompleteSync, Schedule, SourceHealth};
use crate::engine::holds;
use crate::ingest::inbox;
use crate::ingest::inbox::queries::Backlog;
use crate::jobs::source_silence::{self, SilenceThreshold, silent_since};
use crate::jobs::{drift, provider_webhooks};
use crate::roster;
use leaver_core::domain::SourceName;

/// The part of [`Health`] that is stored in the database.
#[derive(Clone, Debug, Default)]
pub(super) struct DatabaseHealth {
    pub(super) backlog: Backlog,
    pub(super) schedule: Schedule,
    pub(super) holds: i64,
    pub(super) pending_reads: i64,
    pub(super) drift: Option<DriftHealth>,
    pub(super) sources: BTreeMap<String, SourceHealth>,
}

impl DatabaseHealth {
    /// Returns whether an operator should look at something.
    pub(super) fn is_degraded(&self) -> bool {
        let drifted = self
            .drift
            .as_ref()
            .is_some_and(|drift| drift.terminated_with_access > 0);
        let source_degraded = self.sources.values().any(|source| {
            source.silent_since.is_some()
                || source.last_sync.is_some()
                || source.unhealthy_webhooks() > 0
        });
        self.backlog.failed > 0 || drifted || source_degraded
    }

    pub(super) async fn query(
        conn: &mut PgConnection,
        silence_thresholds: &[SilenceThreshold],
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
        let drift = drift::store::find_last_check(conn).await?;
        let known_hooks = provider_webhooks::store::list(conn, &sources).await?;
        Ok(Self {
            backlog: inbox::queries::store::backlog(conn, now).await?,
            schedule: Schedule { pending, next_at },
            holds: holds::store::count_open(conn).await?,
            pending_reads: roster::pending_reads::store::count(conn).await?,
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
                    let health = SourceHealth {
                        last_delivery_at: entry.at,
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
