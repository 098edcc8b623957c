//! What health is made of: the database, the schema, the working half, what waits. No secret and nothing
//! personal.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use tokio::sync::Mutex;
use tokio::time::timeout;

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

/// A working half that has not shown itself for this long is stalled.
const STALLED_AFTER_SECONDS: i64 = 60;

/// How long a connection has to show that it still is one.
const PING: Duration = Duration::from_millis(500);

/// How the service is.
#[derive(Debug, Serialize)]
pub struct Health {
    /// In one word.
    pub status: HealthState,
    /// Of this binary.
    pub version: &'static str,
    /// ok, or unreachable.
    pub database: &'static str,
    /// current, or pending while migrations have not been applied.
    pub schema: &'static str,
    /// running, stalled, or starting.
    pub worker: &'static str,
    /// What waits.
    pub backlog: Backlog,
    /// What is announced.
    pub schedule: Schedule,
    /// Open questions for a person.
    pub holds: i64,
    /// What the last comparison of roster and accounts found; none when there was none yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftHealth>,
    /// When each source was last heard of.
    pub sources: BTreeMap<String, SourceHealth>,
}

/// How the service is, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthState {
    /// All is well.
    Ok,
    /// It works, and somebody should look.
    Degraded,
    /// It does not work.
    Unavailable,
}

/// What is announced.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Schedule {
    /// Access ends that lie ahead.
    pub pending: i64,
    /// The next of them.
    pub next_at: Option<DateTime<Utc>>,
}

/// What the last comparison of roster and accounts found.
#[derive(Clone, Debug, Serialize)]
pub struct DriftHealth {
    /// When it was.
    pub checked_at: DateTime<Utc>,
    /// Accounts that were on and should not have been.
    pub terminated_with_access: i64,
}

/// When a source was last heard of.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SourceHealth {
    /// Its last authentic webhook.
    pub last_delivery_at: Option<DateTime<Utc>>,
    /// Since when it has been silent, where that is longer than `silence_alarm`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent_since: Option<DateTime<Utc>>,
    /// The last complete read of its API.
    pub last_read_at: Option<DateTime<Utc>>,
    /// How the last read went, where it was not complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_read: Option<LastSync>,
    /// BambooHR's webhooks that point here, as last looked at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub webhooks: Vec<ProviderWebhook>,
}

impl SourceHealth {
    /// How many of its webhooks somebody should look at.
    fn hook_troubles(&self) -> i64 {
        let troubled = self.webhooks.iter().filter(|hook| hook.trouble.is_some());
        i64::try_from(troubled.count()).unwrap_or(i64::MAX)
    }
}

/// A read of an API that was not complete.
#[derive(Clone, Debug, Serialize)]
pub struct LastSync {
    /// incomplete.
    pub state: &'static str,
    /// Why.
    pub cause: String,
    /// When it began.
    pub tried_at: DateTime<Utc>,
}

#[derive(Default)]
struct Known {
    backlog: Backlog,
    schedule: Schedule,
    holds: i64,
    drift: Option<DriftHealth>,
    sources: BTreeMap<String, SourceHealth>,
}

/// The connection over which the database is asked how it is. It has no pool: one that does not answer is dropped where
/// it stands, while a pool would wait for its farewell and keep its place for ever.
#[derive(Debug)]
pub struct HealthProbe {
    options: PgConnectOptions,
    free: Mutex<Option<PgConnection>>,
}

impl HealthProbe {
    /// Connects when it is asked.
    #[must_use]
    pub fn over(options: PgConnectOptions) -> Self {
        Self {
            options,
            free: Mutex::new(None),
        }
    }

    async fn ask(
        &self,
        started: bool,
        silence_thresholds: &[SilenceThreshold],
        now: DateTime<Utc>,
    ) -> Result<Known, sqlx::Error> {
        let mut free = self.free.lock().await;
        let mut conn = self.connection(free.take()).await?;
        let known = if started {
            Known::ask(&mut conn, silence_thresholds, now).await?
        } else {
            Known::default()
        };
        // Only one that has answered to the end is used again.
        *free = Some(conn);
        Ok(known)
    }

    /// The one from before if it still answers, else a new one.
    async fn connection(&self, last: Option<PgConnection>) -> Result<PgConnection, sqlx::Error> {
        if let Some(mut conn) = last
            && let Ok(Ok(())) = timeout(PING, inbox::queries::store::ping(&mut conn)).await
        {
            return Ok(conn);
        }
        let mut conn = self.options.connect().await?;
        inbox::queries::store::ping(&mut conn).await?;
        Ok(conn)
    }
}

impl Known {
    /// Whether somebody should look.
    fn is_doubtful(&self) -> bool {
        let drifted = self
            .drift
            .as_ref()
            .is_some_and(|d| d.terminated_with_access > 0);
        let mut sources = self.sources.values();
        let troubled = sources.any(|source| {
            let unheard = source.silent_since.is_some() || source.last_read.is_some();
            unheard || source.hook_troubles() > 0
        });
        self.backlog.parked > 0 || drifted || troubled
    }

    async fn ask(
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
                    let heard = SourceHealth {
                        last_delivery_at: entry.at,
                        silent_since: silent_since(alarm.after, entry.at, since, now),
                        last_read_at: of_source.clone().filter_map(|reads| reads.ended_at).max(),
                        last_read: of_source.clone().find_map(|reads| {
                            Some(LastSync {
                                state: "incomplete",
                                cause: reads.incomplete.clone()?,
                                tried_at: reads.tried_at,
                            })
                        }),
                        webhooks: known_hooks
                            .iter()
                            .filter(|hook| hook.source == entry.source)
                            .cloned()
                            .collect(),
                    };
                    (entry.source.to_string(), heard)
                })
                .collect(),
        })
    }
}

/// Looks at everything, within two seconds even when the database does not answer.
pub async fn examine(
    asking: &HealthProbe,
    liveness: &Liveness,
    silence_thresholds: &[SilenceThreshold],
    now: DateTime<Utc>,
) -> Health {
    let started = liveness.phase() != Phase::Starting;
    let asked = timeout(
        Duration::from_secs(2),
        asking.ask(started, silence_thresholds, now),
    );
    let known = asked.await.ok().and_then(Result::ok);
    let worker = match liveness.working_half_age_seconds(now) {
        None => "starting",
        Some(age) if age > STALLED_AFTER_SECONDS => "stalled",
        Some(_) => "running",
    };
    let reachable = known.is_some();
    let known = known.unwrap_or_else(|| Known {
        sources: silence_thresholds
            .iter()
            .map(|one| (one.source.to_string(), SourceHealth::default()))
            .collect(),
        ..Known::default()
    });
    let status = if !reachable || !started || worker == "stalled" {
        HealthState::Unavailable
    } else if known.is_doubtful() {
        HealthState::Degraded
    } else {
        HealthState::Ok
    };
    Health {
        status,
        version: env!("CARGO_PKG_VERSION"),
        database: if reachable { "ok" } else { "unreachable" },
        schema: if started { "current" } else { "pending" },
        worker,
        backlog: known.backlog,
        schedule: known.schedule,
        holds: known.holds,
        drift: known.drift,
        sources: known.sources,
    }
}

impl Health {
    /// What Prometheus is told of it; `None` when it is not known, which is not the same as zero.
    #[must_use]
    pub fn gauges(&self, now: DateTime<Utc>) -> Option<Gauges> {
        let known = self.database == "ok" && self.schema == "current";
        known.then(|| Gauges {
            waiting: self.backlog.waiting,
            oldest_seconds: self.backlog.oldest_seconds,
            parked: self.backlog.parked,
            holds: self.holds,
            scheduled: self.schedule.pending,
            terminated_with_access: self.drift.as_ref().map(|d| d.terminated_with_access),
            webhook_trouble: self
                .sources
                .iter()
                .filter_map(|(name, heard)| {
                    Some((SourceName::parse(name).ok()?, heard.hook_troubles()))
                })
                .collect(),
            last_delivery_seconds: self.ages(now, |heard| heard.last_delivery_at),
            last_read_seconds: self.ages(now, |heard| heard.last_read_at),
        })
    }

    fn ages(
        &self,
        now: DateTime<Utc>,
        of: impl Fn(&SourceHealth) -> Option<DateTime<Utc>>,
    ) -> Vec<(SourceName, i64)> {
        let named = self.sources.iter();
        named
            .filter_map(|(name, heard)| {
                let name = SourceName::parse(name).ok()?;
                Some((name, (now - of(heard)?).num_seconds()))
            })
            .collect()
    }
}
