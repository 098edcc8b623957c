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

use crate::domain::SourceName;
use crate::inbox;
use crate::inbox::view::Backlog;
use crate::metrics::Gauges;
use crate::vitals::{Phase, Vitals};
use crate::{holds, roster};

/// A working half that has not shown itself for this long is stalled.
const STALLED_AFTER_SECONDS: i64 = 60;

/// How long a connection has to show that it still is one.
const PING: Duration = Duration::from_millis(500);

/// How the service is.
#[derive(Debug, Serialize)]
pub struct Health {
    /// In one word.
    pub status: Overall,
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
    /// When each source was last heard of.
    pub sources: BTreeMap<String, SourceHealth>,
}

/// How the service is, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Overall {
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

/// When a source was last heard of.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SourceHealth {
    /// Its last authentic webhook.
    pub last_delivery_at: Option<DateTime<Utc>>,
    /// The last complete read of its API.
    pub last_read_at: Option<DateTime<Utc>>,
    /// How the last read went, where it was not complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_read: Option<LastRead>,
}

/// A read of an API that was not complete.
#[derive(Clone, Debug, Serialize)]
pub struct LastRead {
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
    sources: BTreeMap<String, SourceHealth>,
}

/// The connection over which the database is asked how it is. It has no pool: one that does not answer is dropped where
/// it stands, while a pool would wait for its farewell and keep its place for ever.
#[derive(Debug)]
pub struct Asking {
    options: PgConnectOptions,
    free: Mutex<Option<PgConnection>>,
}

impl Asking {
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
        sources: &[SourceName],
        now: DateTime<Utc>,
    ) -> Result<Known, sqlx::Error> {
        let mut free = self.free.lock().await;
        let mut conn = self.connection(free.take()).await?;
        let known = if started {
            Known::ask(&mut conn, sources, now).await?
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
            && let Ok(Ok(())) = timeout(PING, inbox::view::store::ping(&mut conn)).await
        {
            return Ok(conn);
        }
        let mut conn = self.options.connect().await?;
        inbox::view::store::ping(&mut conn).await?;
        Ok(conn)
    }
}

impl Known {
    async fn ask(
        conn: &mut PgConnection,
        sources: &[SourceName],
        now: DateTime<Utc>,
    ) -> Result<Self, sqlx::Error> {
        let (pending, next_at) = roster::store::schedule(conn).await?;
        let last = inbox::view::store::last_deliveries(conn, sources).await?;
        let reads = roster::reads::store::list(conn, sources).await?;
        Ok(Self {
            backlog: inbox::view::store::backlog(conn, now).await?,
            schedule: Schedule { pending, next_at },
            holds: holds::store::count_open(conn).await?,
            sources: last
                .into_iter()
                .map(|entry| {
                    let of_source = reads.iter().filter(|reads| reads.source == entry.source);
                    let heard = SourceHealth {
                        last_delivery_at: entry.at,
                        last_read_at: of_source.clone().filter_map(|reads| reads.ended_at).max(),
                        last_read: of_source.clone().find_map(|reads| {
                            Some(LastRead {
                                state: "incomplete",
                                cause: reads.incomplete.clone()?,
                                tried_at: reads.tried_at,
                            })
                        }),
                    };
                    (entry.source.to_string(), heard)
                })
                .collect(),
        })
    }
}

/// Looks at everything, within two seconds even when the database does not answer.
pub async fn examine(
    asking: &Asking,
    vitals: &Vitals,
    sources: &[SourceName],
    now: DateTime<Utc>,
) -> Health {
    let started = vitals.phase() != Phase::Starting;
    let asked = timeout(Duration::from_secs(2), asking.ask(started, sources, now));
    let known = asked.await.ok().and_then(Result::ok);
    let worker = match vitals.working_half_age_seconds(now) {
        None => "starting",
        Some(age) if age > STALLED_AFTER_SECONDS => "stalled",
        Some(_) => "running",
    };
    let reachable = known.is_some();
    let known = known.unwrap_or_else(|| Known {
        sources: sources
            .iter()
            .map(|name| (name.to_string(), SourceHealth::default()))
            .collect(),
        ..Known::default()
    });
    let status = if !reachable || !started || worker == "stalled" {
        Overall::Unavailable
    } else if known.backlog.parked > 0 {
        Overall::Degraded
    } else {
        Overall::Ok
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
            last_delivery_seconds: self
                .sources
                .iter()
                .filter_map(|(name, heard)| {
                    let name = SourceName::parse(name).ok()?;
                    Some((name, (now - heard.last_delivery_at?).num_seconds()))
                })
                .collect(),
        })
    }
}
