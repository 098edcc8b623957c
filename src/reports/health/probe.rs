//! Queries the database for health over connections of its own, and caches what it found.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout, timeout_at};

use super::query::DatabaseHealth;
use super::{Health, StartModes};
use crate::base::liveness::{Liveness, Phase};
use crate::base::rejections::Rejections;
use crate::db::connection;
use crate::ingest::inbox;
use crate::jobs::source_silence::SilenceThreshold;

/// Time that health from the database is cached: a scrape and a check in the same second query it once.
pub(crate) const CACHE_FOR: Duration = Duration::from_secs(1);

/// Time limit for all queries.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(2);

/// Time limit for a ping of an idle connection. A connection that fails it is dropped.
const PING_TIMEOUT: Duration = Duration::from_millis(500);

/// Queries the database for health, over connections of its own.
///
/// It uses no pool: a connection that does not answer is dropped, while a pool would wait for it to close.
#[derive(Debug)]
pub struct HealthProbe {
    options: PgConnectOptions,
    cache_for: Duration,
    start_modes: StartModes,
    // Apart from `reports`, so that slow queries of `/health` do not delay `/health/ready`.
    pings: Mutex<Option<PgConnection>>,
    reports: Mutex<Reports>,
}

#[derive(Debug, Default)]
struct Reports {
    idle: Option<PgConnection>,
    cached: Option<CachedReport>,
}

#[derive(Debug)]
struct CachedReport {
    at: Instant,
    is_migrated: bool,
    /// `None` when the database did not answer.
    found: Option<DatabaseHealth>,
}

impl HealthProbe {
    /// Connects at the first request. What is found is cached for `cache_for`, an unreachable database too. A source
    /// that was never seen has its start mode.
    #[must_use]
    pub fn new(options: PgConnectOptions, cache_for: Duration, start_modes: StartModes) -> Self {
        Self {
            options,
            cache_for,
            start_modes,
            pings: Mutex::default(),
            reports: Mutex::default(),
        }
    }

    /// Returns whether the database answers within 2 s. Never cached.
    pub async fn ping(&self) -> bool {
        let ping = async {
            let mut idle = self.pings.lock().await;
            let conn = self.connection(idle.take()).await.ok()?;
            *idle = Some(conn);
            Some(())
        };
        matches!(timeout(DATABASE_TIMEOUT, ping).await, Ok(Some(())))
    }

    /// Returns the health of the service within 2 s, also when the database does not answer.
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
        let rejections = rejections.report();
        Health::new(
            found,
            is_migrated,
            liveness,
            &self.start_modes,
            silence_thresholds,
            &rejections,
            now,
        )
    }

    async fn database_health(
        &self,
        is_migrated: bool,
        silence_thresholds: &[SilenceThreshold],
        now: DateTime<Utc>,
    ) -> Option<DatabaseHealth> {
        let deadline = Instant::now() + DATABASE_TIMEOUT;
        // Requests that arrive during a query wait here, and then find its result in the cache.
        let mut reports = timeout_at(deadline, self.reports.lock()).await.ok()?;
        if let Some(cached) = &reports.cached
            && cached.is_migrated == is_migrated
            && cached.at.elapsed() < self.cache_for
        {
            return cached.found.clone();
        }
        let idle = reports.idle.take();
        let query = async {
            let mut conn = self.connection(idle).await?;
            let found = if is_migrated {
                DatabaseHealth::query(&mut conn, silence_thresholds, &self.start_modes, now).await?
            } else {
                DatabaseHealth::default()
            };
            Ok::<_, sqlx::Error>((conn, found))
        };
        let answer = timeout_at(deadline, query).await.ok().and_then(Result::ok);
        // Only a connection that has answered everything is used again.
        let (conn, found) = answer.unzip();
        reports.idle = conn;
        reports.cached = Some(CachedReport {
            at: Instant::now(),
            is_migrated,
            found: found.clone(),
        });
        found
    }

    /// Returns the idle connection if it still answers, else a new one.
    async fn connection(&self, idle: Option<PgConnection>) -> Result<PgConnection, sqlx::Error> {
        if let Some(mut conn) = idle
            && let Ok(Ok(())) = timeout(PING_TIMEOUT, inbox::queries::store::ping(&mut conn)).await
        {
            return Ok(conn);
        }
        let mut conn = connection::open(&self.options).await?;
        inbox::queries::store::ping(&mut conn).await?;
        Ok(conn)
    }
}
