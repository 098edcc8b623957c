//! Queries the database for health over connections of its own, and caches what it found.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::timeout;

use super::idle::IdleConnection;
use super::query::DatabaseHealth;
use super::shared::Shared;
use super::writes::WriteProbe;
use super::{Health, ProviderConfigs, StartModes};
use crate::base::liveness::{Liveness, Phase};
use crate::base::rejections::Rejections;
use crate::db::backends::Share;
use crate::db::error::Cause;
use crate::ingest::store_signs::StoreSigns;
use crate::jobs::source_silence::SilenceThreshold;

/// Time that health from the database is cached: many scrapes and checks in the same second query it once.
pub(crate) const CACHE_FOR: Duration = Duration::from_secs(1);

/// Time limit for all queries.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(2);

/// Queries the database for health, over connections of its own.
///
/// It uses no pool: a connection that does not answer is dropped, while a pool would wait for it to close.
#[derive(Debug)]
pub struct HealthProbe {
    cache_for: Duration,
    start_modes: Arc<StartModes>,
    provider_configs: Arc<ProviderConfigs>,
    destinations: Arc<Vec<String>>,
    // Apart from `reports`, so that slow queries of `/health` do not delay `/health/ready`.
    pings: Shared<Result<(), Cause>>,
    ping_connection: Arc<IdleConnection>,
    reports: Shared<Report>,
    report_connection: Arc<IdleConnection>,
    writes: WriteProbe,
    signs: Arc<StoreSigns>,
    share: Share,
}

#[derive(Clone, Debug)]
struct Report {
    is_migrated: bool,
    /// The cause when the database did not answer.
    found: Result<DatabaseHealth, Cause>,
}

impl HealthProbe {
    /// Connects at the first request. What is found is cached for `cache_for`, an unreachable database too. A source
    /// that was never seen has its start mode.
    #[must_use]
    pub(crate) fn new(
        share: &Share,
        cache_for: Duration,
        start_modes: StartModes,
        provider_configs: ProviderConfigs,
        destinations: Vec<String>,
        signs: Arc<StoreSigns>,
    ) -> Self {
        let ping_connection = Arc::new(IdleConnection::new(share.clone()));
        Self {
            cache_for,
            start_modes: Arc::new(start_modes),
            provider_configs: Arc::new(provider_configs),
            destinations: Arc::new(destinations),
            pings: Shared::default(),
            writes: WriteProbe::new(
                share.clone(),
                Arc::clone(&ping_connection),
                Arc::clone(&signs),
            ),
            // One place of the share is for the write probe.
            report_connection: if share.size() > 2 {
                Arc::new(IdleConnection::new(share.clone()))
            } else {
                Arc::clone(&ping_connection)
            },
            ping_connection,
            reports: Shared::default(),
            signs,
            share: share.clone(),
        }
    }

    /// Returns whether deliveries can be stored: the database answered within 2 s, now or at most a second ago, and a
    /// delivery was stored lately, or a row could be written.
    pub async fn can_store(&self, now: DateTime<Utc>) -> bool {
        self.ping().await.is_ok() && self.writes.check(self.cache_for, now).await.is_ok()
    }

    async fn ping(&self) -> Result<(), Cause> {
        let connection = &self.ping_connection;
        let ping = || {
            let connection = Arc::clone(connection);
            async move {
                let conn = timeout(DATABASE_TIMEOUT, connection.take())
                    .await
                    .map_err(|_| Cause::NoResponse)?
                    .map_err(|error| Cause::of(&error))?;
                conn.put_back();
                Ok(())
            }
        };
        let keep_for = self.cache_for.min(CACHE_FOR);
        let pinged = self.pings.get(keep_for, |_| true, ping).await;
        pinged.unwrap_or(Err(Cause::NoResponse))
    }

    /// Returns the health of the service within a few seconds, also when the database does not answer.
    pub async fn health(
        &self,
        liveness: &Liveness,
        silence_thresholds: &[SilenceThreshold],
        rejections: &Rejections,
        now: DateTime<Utc>,
    ) -> Health {
        let is_migrated = liveness.phase() != Phase::Starting;
        let found = self
            .database_health(is_migrated, silence_thresholds, now)
            .await;
        // Without an answer no row can be stored. Before the migrations the table of the probe is missing.
        let stored = match &found {
            Err(cause) => Err(cause.clone()),
            Ok(_) if is_migrated => self.writes.check(self.cache_for, now).await,
            Ok(_) => self.signs.start_failure().map_or(Ok(()), Err),
        };
        let stored = stored.map_err(|cause| self.explained(&cause));
        let rejections = rejections.report();
        Health::new(
            found.ok(),
            &stored,
            is_migrated,
            liveness,
            &self.start_modes,
            silence_thresholds,
            &rejections,
            now,
        )
    }

    /// Returns why a connection was waited for in vain, if that is known.
    fn explained(&self, cause: &Cause) -> Cause {
        let known = self.share.problem();
        let known = known.filter(|_| *cause == Cause::NoResponse);
        known.unwrap_or_else(|| cause.clone())
    }

    async fn database_health(
        &self,
        is_migrated: bool,
        silence_thresholds: &[SilenceThreshold],
        now: DateTime<Utc>,
    ) -> Result<DatabaseHealth, Cause> {
        let query = || {
            let connection = Arc::clone(&self.report_connection);
            let modes = Arc::clone(&self.start_modes);
            let configs = Arc::clone(&self.provider_configs);
            let names = Arc::clone(&self.destinations);
            let thresholds = silence_thresholds.to_vec();
            async move {
                let query = async {
                    let mut taken = connection.take().await?;
                    let conn = &mut taken.conn;
                    let found = if is_migrated {
                        DatabaseHealth::query(conn, &thresholds, &modes, &configs, &names, now)
                            .await?
                    } else {
                        DatabaseHealth::default()
                    };
                    // Only a connection that has answered everything is used again.
                    taken.put_back();
                    Ok::<_, sqlx::Error>(found)
                };
                let found = timeout(DATABASE_TIMEOUT, query).await;
                Report {
                    is_migrated,
                    found: match found {
                        Ok(found) => found.map_err(|error| Cause::of(&error)),
                        Err(_) => Err(Cause::NoResponse),
                    },
                }
            }
        };
        let still_holds = |report: &Report| report.is_migrated == is_migrated;
        let no_report = || Report {
            is_migrated,
            found: Err(Cause::NoResponse),
        };
        let report = self.reports.get(self.cache_for, still_holds, query).await;
        let report = report.unwrap_or_else(no_report);
        if still_holds(&report) {
            return report.found;
        }
        // The query in progress began before the end of the migrations.
        let report = self.reports.get(self.cache_for, still_holds, query).await;
        report.unwrap_or_else(no_report).found
    }
}
