//! Health of the service: database, schema, worker, backlog, sources. Holds no secret and no personal data.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout, timeout_at};

use crate::base::liveness::{Liveness, Phase};
use crate::base::metrics::Gauges;
use crate::engine::holds;
use crate::ingest::inbox;
use crate::ingest::inbox::queries::Backlog;
use crate::jobs::provider_webhooks::ProviderWebhook;
use crate::jobs::source_silence::{self, SilenceThreshold, silent_since};
use crate::jobs::{drift, provider_webhooks};
use crate::roster;
use leaver_core::domain::SourceName;

/// Time that health from the database is cached: a scrape and a check in the same second query it once.
pub(crate) const CACHE_FOR: Duration = Duration::from_secs(1);

/// Time limit for all queries.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(2);

/// Time limit for a ping of an idle connection. A connection that fails it is dropped.
const PING_TIMEOUT: Duration = Duration::from_millis(500);

/// A worker without a sign of life for longer is stalled.
const STALLED_AFTER_SECONDS: i64 = 60;

/// The response of `/health`.
#[derive(Debug, Serialize)]
pub struct Health {
    /// Summary of everything below.
    pub status: HealthState,
    /// Version of this binary.
    pub version: &'static str,
    /// `ok` or `unreachable`.
    pub database: &'static str,
    /// `current`, or `pending` until the migrations are applied.
    pub schema: &'static str,
    /// `starting`, `running` or `stalled`.
    pub worker: &'static str,
    /// Deliveries in the inbox.
    pub backlog: Backlog,
    /// Scheduled access ends.
    pub schedule: Schedule,
    /// Number of open holds.
    pub holds: i64,
    /// Number of employees to be read over their provider's API.
    pub pending_reads: i64,
    /// Result of the last drift check, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftHealth>,
    /// Each source, by name.
    pub sources: BTreeMap<String, SourceHealth>,
}

/// Summary of the service's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthState {
    /// Everything works.
    Ok,
    /// The service works, and an operator should look at something.
    Degraded,
    /// The service does not work; `/health` answers 503.
    Unavailable,
}

/// Scheduled access ends.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Schedule {
    /// Number of them.
    pub pending: i64,
    /// Time of the next one.
    pub next_at: Option<DateTime<Utc>>,
}

/// Result of the last drift check.
#[derive(Clone, Debug, Serialize)]
pub struct DriftHealth {
    /// Time of the check.
    pub checked_at: DateTime<Utc>,
    /// Number of active accounts whose employee has left.
    pub terminated_with_access: i64,
}

/// Deliveries and syncs of one source.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SourceHealth {
    /// Time of the last authentic delivery.
    pub last_delivery_at: Option<DateTime<Utc>>,
    /// Start of the silence, when it is longer than `max_silence`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent_since: Option<DateTime<Utc>>,
    /// End of the last complete sync.
    pub last_sync_at: Option<DateTime<Utc>>,
    /// The last sync, when it was incomplete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_sync: Option<IncompleteSync>,
    /// State of BambooHR's webhooks that post to this source, as of the last check.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub webhooks: Vec<ProviderWebhook>,
}

impl SourceHealth {
    fn unhealthy_webhooks(&self) -> i64 {
        let unhealthy = self.webhooks.iter().filter(|hook| hook.problem.is_some());
        i64::try_from(unhealthy.count()).unwrap_or(i64::MAX)
    }
}

/// A sync that did not read everything.
#[derive(Clone, Debug, Serialize)]
pub struct IncompleteSync {
    /// Always `incomplete`.
    pub state: &'static str,
    /// The error that it met.
    pub reason: String,
    /// Its start.
    pub started_at: DateTime<Utc>,
}

/// The part of [`Health`] that is stored in the database.
#[derive(Clone, Debug, Default)]
struct DatabaseHealth {
    backlog: Backlog,
    schedule: Schedule,
    holds: i64,
    pending_reads: i64,
    drift: Option<DriftHealth>,
    sources: BTreeMap<String, SourceHealth>,
}

/// Queries the database for health, over connections of its own.
///
/// It uses no pool: a connection that does not answer is dropped, while a pool would wait for it to close.
#[derive(Debug)]
pub struct HealthProbe {
    options: PgConnectOptions,
    cache_for: Duration,
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
    /// Connects at the first request. What is found is cached for `cache_for`, an unreachable database too.
    #[must_use]
    pub fn new(options: PgConnectOptions, cache_for: Duration) -> Self {
        Self {
            options,
            cache_for,
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
        now: DateTime<Utc>,
    ) -> Health {
        let is_migrated = liveness.phase() != Phase::Starting;
        let found = self
            .database_health(is_migrated, silence_thresholds, now)
            .await;
        Health::new(found, is_migrated, liveness, silence_thresholds, now)
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
                DatabaseHealth::query(&mut conn, silence_thresholds, now).await?
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
        let mut conn = self.options.connect().await?;
        inbox::queries::store::ping(&mut conn).await?;
        Ok(conn)
    }
}

impl DatabaseHealth {
    /// Returns whether an operator should look at something.
    fn is_degraded(&self) -> bool {
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

    async fn query(
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

impl Health {
    /// `found` is `None` when the database did not answer.
    fn new(
        found: Option<DatabaseHealth>,
        is_migrated: bool,
        liveness: &Liveness,
        silence_thresholds: &[SilenceThreshold],
        now: DateTime<Utc>,
    ) -> Self {
        let worker = match liveness.heartbeat_age_seconds(now) {
            None => "starting",
            Some(age) if age > STALLED_AFTER_SECONDS => "stalled",
            Some(_) => "running",
        };
        let is_reachable = found.is_some();
        let found = found.unwrap_or_else(|| DatabaseHealth {
            sources: silence_thresholds
                .iter()
                .map(|one| (one.source.to_string(), SourceHealth::default()))
                .collect(),
            ..DatabaseHealth::default()
        });
        let status = if !is_reachable || !is_migrated || worker == "stalled" {
            HealthState::Unavailable
        } else if found.is_degraded() {
            HealthState::Degraded
        } else {
            HealthState::Ok
        };
        Self {
            status,
            version: env!("CARGO_PKG_VERSION"),
            database: if is_reachable { "ok" } else { "unreachable" },
            schema: if is_migrated { "current" } else { "pending" },
            worker,
            backlog: found.backlog,
            schedule: found.schedule,
            holds: found.holds,
            pending_reads: found.pending_reads,
            drift: found.drift,
            sources: found.sources,
        }
    }

    /// Returns the values of the gauges, or `None` when the database did not answer: unknown is not zero.
    #[must_use]
    pub(crate) fn gauges(&self, now: DateTime<Utc>) -> Option<Gauges> {
        let is_known = self.database == "ok" && self.schema == "current";
        is_known.then(|| Gauges {
            inbox_pending: self.backlog.pending,
            inbox_oldest_pending_seconds: self.backlog.oldest_seconds,
            inbox_failed: self.backlog.failed,
            holds_open: self.holds,
            scheduled_access_ends: self.schedule.pending,
            drift_terminated_with_access: self
                .drift
                .as_ref()
                .map(|drift| drift.terminated_with_access),
            provider_webhooks_unhealthy: self.by_source(|it| Some(it.unhealthy_webhooks())),
            last_delivery_age_seconds: self
                .by_source(|it| Some((now - it.last_delivery_at?).num_seconds())),
            last_sync_age_seconds: self
                .by_source(|it| Some((now - it.last_sync_at?).num_seconds())),
        })
    }

    fn by_source(&self, value: impl Fn(&SourceHealth) -> Option<i64>) -> Vec<(String, i64)> {
        let sources = self.sources.iter();
        sources
            .filter_map(|(name, health)| Some((name.clone(), value(health)?)))
            .collect()
    }
}
