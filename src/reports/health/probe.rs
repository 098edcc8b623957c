//! Queries the database for health over connections of its own, and caches what it found.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{Mutex as AsyncMutex, MutexGuard};
use tokio::time::timeout;

use super::query::DatabaseHealth;
use super::shared::Shared;
use super::{Health, ProviderConfigs, StartModes, Unavailable};
use crate::base::liveness::{Liveness, Phase};
use crate::base::rejections::Rejections;
use crate::db::backends::{Connection, Share};
use crate::db::connection::SessionTimeouts;
use crate::db::connection::sessions::is_shared_session;
use crate::jobs::source_silence::SilenceThreshold;

/// Time that health from the database is cached: many scrapes and checks in the same second query it once.
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
    cache_for: Duration,
    start_modes: Arc<StartModes>,
    provider_configs: Arc<ProviderConfigs>,
    // Apart from `reports`, so that slow queries of `/health` do not delay `/health/ready`.
    pings: Shared<bool>,
    ping_connection: Arc<IdleConnection>,
    reports: Shared<Report>,
    report_connection: Arc<IdleConnection>,
}

#[derive(Clone, Debug)]
struct Report {
    is_migrated: bool,
    found: Result<DatabaseHealth, Unavailable>,
}

impl HealthProbe {
    /// Connects at the first request. What is found is cached for `cache_for`, an unreachable database too. A source
    /// that was never seen has its start mode.
    #[must_use]
    pub fn new(
        share: &Share,
        cache_for: Duration,
        start_modes: StartModes,
        provider_configs: ProviderConfigs,
    ) -> Self {
        let ping_connection = Arc::new(IdleConnection::new(share.clone()));
        let report_connection = if share.size() > 1 {
            Arc::new(IdleConnection::new(share.clone()))
        } else {
            Arc::clone(&ping_connection)
        };
        Self {
            cache_for,
            start_modes: Arc::new(start_modes),
            provider_configs: Arc::new(provider_configs),
            pings: Shared::default(),
            ping_connection,
            reports: Shared::default(),
            report_connection,
        }
    }

    /// Returns whether the database answered within 2 s, now or at most a second ago.
    pub async fn ping(&self) -> bool {
        let connection = &self.ping_connection;
        let ping = || {
            let connection = Arc::clone(connection);
            async move {
                let answered = timeout(DATABASE_TIMEOUT, connection.take()).await;
                let Ok(Ok(conn)) = answered else {
                    return false;
                };
                conn.put_back();
                true
            }
        };
        let keep_for = self.cache_for.min(CACHE_FOR);
        self.pings.get(keep_for, |_| true, ping).await == Some(true)
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
    ) -> Result<DatabaseHealth, Unavailable> {
        let query = || {
            let connection = Arc::clone(&self.report_connection);
            let modes = Arc::clone(&self.start_modes);
            let configs = Arc::clone(&self.provider_configs);
            let thresholds = silence_thresholds.to_vec();
            async move {
                let query = async {
                    let mut taken = connection.take().await?;
                    let conn = &mut taken.conn;
                    let found = if is_migrated {
                        DatabaseHealth::query(conn, &thresholds, &modes, &configs, now).await?
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
                        Ok(found) => found.map_err(|error| Unavailable::of(&error)),
                        Err(_) => Err(Unavailable::NoAnswer),
                    },
                }
            }
        };
        let still_holds = |report: &Report| report.is_migrated == is_migrated;
        let report = self.reports.get(self.cache_for, still_holds, query).await;
        let report = report.ok_or(Unavailable::NoAnswer)?;
        if still_holds(&report) {
            return report.found;
        }
        // The query in progress began before the end of the migrations.
        let report = self.reports.get(self.cache_for, still_holds, query).await;
        report.ok_or(Unavailable::NoAnswer)?.found
    }
}

impl Unavailable {
    fn of(error: &sqlx::Error) -> Self {
        if is_shared_session(error) {
            Self::SharedSessions
        } else {
            Self::NoAnswer
        }
    }
}

/// A connection that is kept between queries. Queries run one at a time.
#[derive(Debug)]
struct IdleConnection {
    share: Share,
    idle: AsyncMutex<Option<Connection>>,
}

/// A connection in use. It is kept only if [`TakenConnection::put_back`] is called.
struct TakenConnection<'a> {
    idle: MutexGuard<'a, Option<Connection>>,
    conn: Connection,
}

impl TakenConnection<'_> {
    fn put_back(mut self) {
        *self.idle = Some(self.conn);
    }
}

impl IdleConnection {
    fn new(share: Share) -> Self {
        Self {
            share,
            idle: AsyncMutex::default(),
        }
    }

    /// Returns the idle connection if it still answers with its session, else a new one that does.
    async fn take(&self) -> Result<TakenConnection<'_>, sqlx::Error> {
        let mut idle = self.idle.lock().await;
        if let Some(mut conn) = idle.take() {
            match timeout(PING_TIMEOUT, conn.check_session()).await {
                Ok(Ok(())) => return Ok(TakenConnection { idle, conn }),
                Ok(Err(error)) if is_shared_session(&error) => return Err(error),
                Ok(Err(_)) | Err(_) => {}
            }
        }
        let conn = self.share.open(SessionTimeouts::default()).await?;
        Ok(TakenConnection { idle, conn })
    }
}
