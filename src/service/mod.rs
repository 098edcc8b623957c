//! Builds the service from the settings: pools, router and background jobs, and an orderly stop. Nothing else builds them.

mod apis;
mod jobs;
mod listeners;
pub mod telemetry;
mod startup;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use chrono::TimeDelta;
use secrecy::ExposeSecret;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

pub use self::apis::{check_address, companies};
use self::jobs::JobSettings;
use self::listeners::{Listeners, Serving};
use self::startup::Startup;
use crate::api::AppState;
use crate::api::webhook_keys::WebhookKeys;
use crate::base::clock::Clock;
use crate::base::liveness::{Liveness, Phase};
use crate::base::log_throttle::LogThrottle;
use crate::config::{Database, Settings};
use crate::connect;
use crate::db::pool::{self, Pool};
use crate::engine::Engine;
use crate::engine::policies::Policies;
use crate::ingest::SilenceThreshold;
use crate::ingest::group_commit::{self, GroupCommit};
use crate::jobs::deliveries::{Deliveries, WorkerConfig};
use crate::jobs::housekeeping::{Housekeeping, Retention};
use crate::jobs::runner::Runner;
use crate::jobs::scheduled_ends::ScheduledEnds;
use crate::reports::health::{self, HealthProbe};
use leaver_core::domain::SourceName;
use leaver_core::signature::Scheme;

/// Connections of the background jobs other than delivery workers: one each for scheduled ends and pending reads, the others
/// for syncs and checks. The listener has a connection of its own.
const WORKER_CONNECTIONS: u32 = 6;
/// Connections of a delivery worker: one for its batch, and one for the record of what is in flight.
const BATCH_CONNECTIONS: u32 = 2;
/// Connections for lists of the roster. They are separate, so that a client with many requests delays nothing else.
const LISTING_CONNECTIONS: u32 = 2;

/// Returns how to connect to the configured database.
///
/// # Errors
/// Returns an error if none is configured, or its URL is not one of Postgres.
pub fn connect_options(database: &Database) -> anyhow::Result<PgConnectOptions> {
    let Some(url) = &database.url else {
        let missing = database.missing.as_deref();
        bail!(
            "{}",
            missing.unwrap_or("database.url: no database is configured")
        );
    };
    let url = url.expose_secret();
    // The parser accepts any scheme, and its error may quote the URL, which holds a password.
    let schemes = ["postgres://", "postgresql://"];
    let parsed = PgConnectOptions::from_str(url).ok();
    parsed
        .filter(|_| schemes.iter().any(|scheme| url.starts_with(scheme)))
        .ok_or_else(|| anyhow!("database.url: not a Postgres URL; it should look like postgres://user:password@host:5432/database"))
}

/// Adds the settings that all our connections have.
fn with_session_settings(options: PgConnectOptions) -> PgConnectOptions {
    options
        .application_name("leaver")
        .options([
            ("statement_timeout", "30s"),
            // Our statements end before compilation would pay off.
            ("jit", "off"),
            ("idle_in_transaction_session_timeout", "30s"),
            // Messages of the application's triggers may hold personal data, which must not reach our log.
            ("client_min_messages", "error"),
            // Postgres detects a dead client only by these probes. Until then it keeps the client's advisory locks, so no
            // other replica takes over: half a minute, instead of two hours by default.
            ("tcp_keepalives_idle", "15"),
            ("tcp_keepalives_interval", "5"),
            ("tcp_keepalives_count", "3"),
        ])
        .log_statements(tracing::log::LevelFilter::Trace)
        .log_slow_statements(tracing::log::LevelFilter::Debug, Duration::from_secs(5))
}

/// Opens one connection, for a command.
///
/// # Errors
/// Returns why no connection could be made within 10 s.
pub async fn connect(options: &PgConnectOptions) -> anyhow::Result<PgConnection> {
    let options = with_session_settings(options.clone());
    tokio::time::timeout(Duration::from_secs(10), options.connect())
        .await
        .map_err(|_| anyhow!("the database did not respond within 10 s"))?
        .context("cannot connect to the database (DATABASE_URL)")
}

/// Collects the policies of all configured sources.
#[must_use]
pub fn policies(settings: &Settings) -> Policies {
    Policies::new(settings.sources.iter().map(|source| {
        (
            source.name.clone(),
            source.provider_config.clone(),
            source.policy.clone(),
        )
    }))
}

/// Builds the engine, without the receiver and the jobs. Connects when a connection is first needed.
#[must_use]
pub fn engine(settings: &Settings, database: PgConnectOptions, clock: Arc<dyn Clock>) -> Engine {
    let connections = WORKER_CONNECTIONS + BATCH_CONNECTIONS * settings.worker.concurrency;
    let options = with_session_settings(database);
    Engine::new(
        Pool::new(options, connections, pool::RESPONSE_TIMEOUT),
        clock,
        settings.accounts.clone(),
        policies(settings),
        Arc::default(),
    )
}

/// The parts of a service, built but not running. Tests call them directly.
pub struct Components {
    /// Receives deliveries and answers API requests.
    pub state: Arc<AppState>,
    /// Evaluates and executes.
    pub engine: Arc<Engine>,
    /// Processes deliveries.
    pub deliveries: Arc<Deliveries>,
    /// Ends access at scheduled times.
    pub scheduled_ends: ScheduledEnds,
    /// Deletes what is kept no longer.
    pub housekeeping: Housekeeping,
    /// Phase and heartbeats.
    pub liveness: Arc<Liveness>,
}

impl Components {
    /// Builds the parts. Connects when a connection is first needed.
    #[must_use]
    pub fn new(settings: &Settings, database: PgConnectOptions, clock: Arc<dyn Clock>) -> Self {
        Self::with_health_cache(settings, database, clock, health::CACHE_FOR)
    }

    /// Does the same with another lifetime of cached health; with zero, each request queries the database.
    #[must_use]
    pub fn with_health_cache(
        settings: &Settings,
        database: PgConnectOptions,
        clock: Arc<dyn Clock>,
        health_cache: Duration,
    ) -> Self {
        let options = with_session_settings(database.clone());
        let engine = Arc::new(engine(settings, database, Arc::clone(&clock)));
        let liveness = Arc::new(Liveness::default());
        let limits = group_commit::Limits {
            waiting: group_commit::WAITING,
            bytes: settings.server.max_in_flight_bytes,
            patience: settings.server.store_timeout,
        };
        let intake = GroupCommit::open(
            &options,
            limits,
            Arc::clone(&engine.notifications.deliveries_arrived),
            Arc::clone(&engine.metrics),
            Arc::clone(&liveness),
        );
        let state = Arc::new(AppState {
            webhook_keys: WebhookKeys::new(webhook_keys(settings)),
            silence_thresholds: silence_thresholds(settings),
            intake,
            health_probe: HealthProbe::new(options.clone(), health_cache),
            read_pool: Pool::new(options, LISTING_CONNECTIONS, pool::RESPONSE_TIMEOUT),
            clock,
            liveness: Arc::clone(&liveness),
            metrics: Arc::clone(&engine.metrics),
            log_throttle: LogThrottle::default(),
            max_body_bytes: settings.server.max_body_bytes,
            body_timeout: settings.server.body_timeout,
            store_timeout: settings.server.store_timeout,
            admin_token: settings.server.admin_token.clone(),
        });
        let deliveries = Arc::new(Deliveries::new(
            Arc::clone(&engine),
            worker_config(settings),
            Arc::clone(&liveness),
        ));
        Self {
            state,
            scheduled_ends: ScheduledEnds::new(Arc::clone(&engine), Arc::clone(&liveness)),
            housekeeping: Housekeeping::new(Arc::clone(&deliveries), retention(settings)),
            engine,
            deliveries,
            liveness,
        }
    }
}

/// A running service.
pub struct Service {
    address: SocketAddr,
    admin_address: Option<SocketAddr>,
    http_stop: CancellationToken,
    work_stop: CancellationToken,
    http: Serving,
    work: TaskTracker,
    components: Arc<Components>,
    failed: CancellationToken,
    failure: Arc<std::sync::Mutex<Option<anyhow::Error>>>,
}

impl Service {
    /// Listens at once, and accepts deliveries once the database is reachable and migrated.
    ///
    /// # Errors
    /// Returns an error if it cannot listen on an address. It waits for a database that is unavailable. An accounts table
    /// that does not fit ends the service later, see [`Service::failed`].
    pub fn start(
        settings: &Settings,
        database: PgConnectOptions,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let listeners = Listeners::bind(&settings.server)?;
        let (address, admin_address) = (listeners.address(), listeners.admin_address());
        let job_settings = JobSettings {
            workers: settings.worker.concurrency,
            drift_mode: settings.drift.mode,
            drift_interval: settings.drift.interval,
            silence_thresholds: silence_thresholds(settings),
            sources: companies(settings, &connect::Limits::default(), &clock)?,
        };
        let components = Arc::new(Components::new(settings, database, clock));
        let (http_stop, work_stop) = (CancellationToken::new(), CancellationToken::new());
        let http = listeners.serve(&components.state, &http_stop);
        let work = TaskTracker::new();
        let failed = CancellationToken::new();
        let failure = Arc::new(std::sync::Mutex::new(None));
        let startup = Startup {
            pool: components.engine.pool.clone(),
            mapping: settings.accounts.clone(),
            migrate: settings.database.migrate,
        };
        work.spawn({
            let (components, work_stop) = (Arc::clone(&components), work_stop.clone());
            let (failed, failure) = (failed.clone(), Arc::clone(&failure));
            let runner = Runner::new(work.clone(), work_stop.clone());
            async move {
                let checked = work_stop.run_until_cancelled(startup.startup_checks());
                match checked.await {
                    None => return,
                    Some(Ok(())) => {}
                    Some(Err(error)) => {
                        if let Ok(mut slot) = failure.lock() {
                            *slot = Some(error);
                        }
                        failed.cancel();
                        return;
                    }
                }
                components.liveness.enter(Phase::Ready);
                info!("service.start: ready");
                jobs::start(&runner, &components, job_settings, &work_stop);
            }
        });
        let admin = admin_address.map(tracing::field::display);
        info!(%address, admin_address = admin, version = env!("CARGO_PKG_VERSION"), "service.start: listening");
        Ok(Self {
            address,
            admin_address,
            http_stop,
            work_stop,
            http,
            work,
            components,
            failed,
            failure,
        })
    }

    /// Returns the address of the listener for webhooks.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address of the admin listener, if there is one.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_address
    }

    /// Returns whether it accepts deliveries.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.components.liveness.phase() == Phase::Ready
    }

    /// Replaces the webhook keys by those of these settings. Other settings keep their values.
    pub fn replace_keys(&self, settings: &Settings) {
        let keys = &self.components.state.webhook_keys;
        for source in keys.replace_keys(&webhook_keys(settings)) {
            warn!(%source, "service.replace_keys: the source is not configured any more; its keys stay until a restart");
        }
        info!("service.replace_keys: replaced the webhook keys");
    }

    /// Waits until the service cannot continue, and returns why.
    pub async fn failed(&self) -> anyhow::Error {
        self.failed.cancelled().await;
        let reason = self.failure.lock().ok().and_then(|mut slot| slot.take());
        reason.unwrap_or_else(|| anyhow!("the service failed"))
    }

    /// Stops in order: accepts no more requests, finishes those in flight, stores what is queued, ends the jobs, closes the
    /// connections.
    pub async fn stop(self) {
        self.components.liveness.enter(Phase::Draining);
        self.http_stop.cancel();
        self.http.ended().await;
        // The queue holds deliveries of senders that hung up; all others have their response by now.
        self.components.state.intake.close().await;
        self.work_stop.cancel();
        self.work.close();
        let jobs_end = tokio::time::timeout(Duration::from_secs(10), self.work.wait());
        if jobs_end.await.is_err() {
            warn!(
                "service.stop: a job did not end within 10 s; its transaction is rolled back and repeated at the next start"
            );
        }
        let pool = &self.components.engine.pool;
        drop(tokio::time::timeout(Duration::from_secs(3), pool.close()).await);
        info!("service.stop: stopped");
    }
}

/// Returns how long each source may send nothing, in the order of names.
fn silence_thresholds(settings: &Settings) -> Vec<SilenceThreshold> {
    let mut silence_thresholds: Vec<SilenceThreshold> = settings
        .sources
        .iter()
        .map(|source| SilenceThreshold {
            source: source.name.clone(),
            after: source.max_silence,
        })
        .collect();
    silence_thresholds.sort_by(|one, other| one.source.cmp(&other.source));
    silence_thresholds
}

/// Returns the webhook keys of each source.
fn webhook_keys(settings: &Settings) -> HashMap<SourceName, Scheme> {
    let sources = settings.sources.iter();
    sources
        .map(|source| (source.name.clone(), source.scheme.clone()))
        .collect()
}

fn worker_config(settings: &Settings) -> WorkerConfig {
    WorkerConfig {
        batch_max_deliveries: settings.worker.batch_size,
        batch_max_bytes: settings.worker.batch_bytes,
        poll_interval: settings.worker.poll_interval,
        max_attempts: settings.worker.max_attempts,
    }
}

fn retention(settings: &Settings) -> Retention {
    let failed_bodies = TimeDelta::from_std(settings.inbox.failed_body_retention);
    let settled = TimeDelta::from_std(settings.inbox.delivery_retention);
    Retention {
        failed_bodies: failed_bodies.unwrap_or(TimeDelta::days(7)),
        settled: settled.unwrap_or(TimeDelta::days(90)),
    }
}
