//! The only place that builds things: from settings to pools, router and loops, and to an orderly stop.

mod apis;
mod loops;
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
use tokio::sync::{Mutex, Notify, RwLock};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

pub use self::apis::{check_address, companies};
use self::startup::Startup;
use crate::api::connections::{self, Drained};
use crate::api::webhook_keys::WebhookKeys;
use crate::api::{AppState, router};
use crate::base::clock::Clock;
use crate::base::liveness::{Liveness, Phase};
use crate::base::log_throttle::LogThrottle;
use crate::base::metrics::Metrics;
use crate::config::{Database, Settings};
use crate::connect;
use crate::db::pool::{self, Pool};
use crate::engine::policies::Policies;
use crate::engine::{Engine, Limits};
use crate::ingest::group_commit::{self, GroupCommit};
use crate::jobs::source_silence::SilenceThreshold;
use crate::reports::health::HealthProbe;
use leaver_core::domain::SourceName;
use leaver_core::signature::Scheme;

/// Connections of the working half beside those for batches: one each for the timer and the reader, the others for syncs
/// and looks. The bell has one of its own.
const WORKER_CONNECTIONS: u32 = 6;
/// Connections of a batch: its own, and one beside it for the mark.
const BATCH_CONNECTIONS: u32 = 2;
/// Connections for lists of the roster, so that a program that asks for many of them is in nobody's way.
const LISTING_CONNECTIONS: u32 = 2;

/// How to reach the database that the settings name.
///
/// # Errors
/// When they name none, or what they name is not a Postgres URL.
pub fn connect_options(database: &Database) -> anyhow::Result<PgConnectOptions> {
    let Some(url) = &database.url else {
        let missing = database.missing.as_deref();
        bail!(
            "{}",
            missing.unwrap_or("database.url: no database is configured")
        );
    };
    let url = url.expose_secret();
    // The parser itself takes any scheme, and its error may quote the URL, which holds a password.
    let ours = ["postgres://", "postgresql://"];
    let parsed = PgConnectOptions::from_str(url).ok();
    parsed
        .filter(|_| ours.iter().any(|scheme| url.starts_with(scheme)))
        .ok_or_else(|| anyhow!("database.url: not a Postgres URL; it should look like postgres://user:password@host:5432/database"))
}

/// What every connection of ours is set to.
fn ours(options: PgConnectOptions) -> PgConnectOptions {
    options
        .application_name("leaver")
        .options([
            ("statement_timeout", "30s"),
            // Each of our statements is over before compiling it would pay.
            ("jit", "off"),
            ("idle_in_transaction_session_timeout", "30s"),
            // Triggers of the application's may tell of people, which is not for our log.
            ("client_min_messages", "error"),
            // Of a machine that is gone Postgres learns by asking. Until then it keeps that machine's locks, so
            // no other replica reads or fires in its place. Within half a minute, not after two hours.
            ("tcp_keepalives_idle", "15"),
            ("tcp_keepalives_interval", "5"),
            ("tcp_keepalives_count", "3"),
        ])
        .log_statements(tracing::log::LevelFilter::Trace)
        .log_slow_statements(tracing::log::LevelFilter::Debug, Duration::from_secs(5))
}

/// One connection, for a command.
///
/// # Errors
/// When the database is not there or refuses us.
pub async fn connect(options: &PgConnectOptions) -> anyhow::Result<PgConnection> {
    let options = ours(options.clone());
    tokio::time::timeout(Duration::from_secs(10), options.connect())
        .await
        .map_err(|_| anyhow!("the database did not answer within 10 s"))?
        .context("cannot connect to the database (DATABASE_URL)")
}

/// The rules of all configured sources.
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

/// The halves of a service, built but not running. Tests drive them by hand.
pub struct Components {
    /// The receiving half.
    pub receiver: Arc<AppState>,
    /// The working half.
    pub worker: Arc<Engine>,
    /// Signs of life of both.
    pub liveness: Arc<Liveness>,
    /// The connections of the working half.
    pub pool: Pool,
}

impl Components {
    /// Builds both halves; connects to nothing yet.
    #[must_use]
    pub fn new(settings: &Settings, database: PgConnectOptions, clock: Arc<dyn Clock>) -> Self {
        let options = ours(database);
        let pool = |connections| Pool::new(options.clone(), connections, pool::SILENCE);
        let working = pool(WORKER_CONNECTIONS + BATCH_CONNECTIONS * settings.worker.batches);
        let liveness = Arc::new(Liveness::default());
        let metrics = Arc::new(Metrics::default());
        let arrived = Arc::new(Notify::new());

        let limits = group_commit::QueueLimits {
            max_pending: group_commit::DEFAULT_MAX_PENDING,
            max_bytes: settings.server.max_in_flight_bytes,
            store_timeout: settings.server.store_timeout,
        };
        let intake = GroupCommit::open(
            &options,
            limits,
            Arc::clone(&arrived),
            Arc::clone(&metrics),
            Arc::clone(&liveness),
        );
        let receiver = Arc::new(AppState {
            webhook_keys: WebhookKeys::of(webhook_keys(settings)),
            silence_thresholds: silence_thresholds(settings),
            intake,
            asking: HealthProbe::over(options.clone()),
            listing: pool(LISTING_CONNECTIONS),
            clock: Arc::clone(&clock),
            liveness: Arc::clone(&liveness),
            metrics: Arc::clone(&metrics),
            refusals: LogThrottle::default(),
            max_body_bytes: settings.server.max_body_bytes,
            body_timeout: settings.server.body_timeout,
            store_timeout: settings.server.store_timeout,
            admin_token: settings.server.admin_token.clone(),
        });
        let worker = Arc::new(Engine {
            pool: working.clone(),
            mapping: settings.accounts.clone(),
            rules: Arc::new(policies(settings)),
            clock,
            arrived,
            schedule_changed: Arc::new(Notify::new()),
            reading: Arc::new(Notify::new()),
            liveness: Arc::clone(&liveness),
            metrics,
            limits: worker_limits(settings),
            hands: RwLock::default(),
            turn: Mutex::default(),
        });

        Self {
            receiver,
            worker,
            liveness,
            pool: working,
        }
    }
}

/// A running service.
pub struct Service {
    address: SocketAddr,
    http_stop: CancellationToken,
    work_stop: CancellationToken,
    http: JoinHandle<Drained>,
    work: TaskTracker,
    liveness: Arc<Liveness>,
    receiver: Arc<AppState>,
    pool: Pool,
    failed: CancellationToken,
    failure: Arc<std::sync::Mutex<Option<anyhow::Error>>>,
}

impl Service {
    /// Listens at once, and takes deliveries as soon as the database is there and migrated.
    ///
    /// # Errors
    /// When the address cannot be listened on. A database that is not there is waited for; a users table that
    /// does not fit ends the service, which [`Service::failed`] tells.
    pub fn start(
        settings: &Settings,
        database: PgConnectOptions,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let listen = settings.server.listen;
        let listener = connections::listen(listen)
            .with_context(|| format!("cannot listen on {listen} (server.listen, LEAVER_LISTEN)"))?;
        let address = listener
            .local_addr()
            .context("cannot tell the address listened on")?;
        let companies = companies(settings, &connect::ClientLimits::default(), &clock)?;
        let watched = loops::Watched {
            batches: settings.worker.batches,
            drift: settings.worker.drift,
            drift_check: settings.worker.drift_check,
            silence_thresholds: silence_thresholds(settings),
        };
        let parts = Components::new(settings, database, clock);
        let Components {
            receiver,
            worker,
            liveness,
            pool: working,
        } = parts;
        let (http_stop, work_stop) = (CancellationToken::new(), CancellationToken::new());
        let http = tokio::spawn(connections::serve(
            listener,
            router(Arc::clone(&receiver)),
            settings.server.connections.clone(),
            http_stop.clone(),
        ));
        let work = TaskTracker::new();
        let failed = CancellationToken::new();
        let failure = Arc::new(std::sync::Mutex::new(None));
        let starting = Startup {
            pool: working.clone(),
            mapping: settings.accounts.clone(),
            migrate: settings.database.migrate,
        };
        work.spawn({
            let (liveness, work_stop, work) =
                (Arc::clone(&liveness), work_stop.clone(), work.clone());
            let (failed, failure) = (failed.clone(), Arc::clone(&failure));
            async move {
                let prepared = tokio::select! {
                    prepared = starting.prepare() => prepared,
                    () = work_stop.cancelled() => return,
                };
                if let Err(error) = prepared {
                    if let Ok(mut slot) = failure.lock() {
                        *slot = Some(error);
                    }
                    failed.cancel();
                    return;
                }
                liveness.enter(Phase::Ready);
                info!("app.start: ready");
                loops::start(&work, &worker, companies, watched, &work_stop);
            }
        });
        info!(%address, version = env!("CARGO_PKG_VERSION"), "app.start: listening");
        Ok(Self {
            address,
            http_stop,
            work_stop,
            http,
            work,
            liveness,
            receiver,
            pool: working,
            failed,
            failure,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it takes deliveries by now.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.liveness.phase() == Phase::Ready
    }

    /// Uses the webhook keys of these settings from now on, and nothing else of them.
    pub fn replace_keys(&self, settings: &Settings) {
        let kept = self
            .receiver
            .webhook_keys
            .replace_keys(&webhook_keys(settings));
        for source in kept {
            warn!(%source, "app.keys: the configuration does not have this source any more; its keys stay until a restart");
        }
        info!("app.keys: webhook keys are read anew");
    }

    /// Ends when the service cannot go on, with the reason.
    pub async fn failed(&self) -> anyhow::Error {
        self.failed.cancelled().await;
        let reason = self.failure.lock().ok().and_then(|mut slot| slot.take());
        reason.unwrap_or_else(|| anyhow!("the service failed"))
    }

    /// Stops in order: no new requests, those in flight finish, the worker ends its batch, connections close.
    pub async fn stop(self) {
        self.liveness.enter(Phase::Draining);
        self.http_stop.cancel();
        match self.http.await {
            Ok(Drained { finished, cut }) => {
                info!(finished, cut, "app.stop: connections are closed");
            }
            Err(error) => error!(%error, "app.stop: the receiving half ended with a bug"),
        }
        // What senders who hung up have left, since all others are answered by now.
        self.receiver.intake.close().await;
        self.work_stop.cancel();
        self.work.close();
        if tokio::time::timeout(Duration::from_secs(10), self.work.wait())
            .await
            .is_err()
        {
            warn!(
                "app.stop: the worker did not end its batch in time; it is rolled back and done at the next start"
            );
        }
        drop(tokio::time::timeout(Duration::from_secs(3), self.pool.close()).await);
        info!("app.stop: stopped");
    }
}

/// How long each source may be silent.
fn silence_thresholds(settings: &Settings) -> Vec<SilenceThreshold> {
    let mut silence_thresholds: Vec<SilenceThreshold> = settings
        .sources
        .iter()
        .map(|source| SilenceThreshold {
            source: source.name.clone(),
            after: source.silence_alarm,
        })
        .collect();
    silence_thresholds.sort_by(|one, other| one.source.cmp(&other.source));
    silence_thresholds
}

/// How each source signs.
fn webhook_keys(settings: &Settings) -> HashMap<SourceName, Scheme> {
    let sources = settings.sources.iter();
    sources
        .map(|source| (source.name.clone(), source.scheme.clone()))
        .collect()
}

fn worker_limits(settings: &Settings) -> Limits {
    Limits {
        batch: settings.worker.batch,
        batch_bytes: settings.worker.batch_bytes,
        poll: settings.worker.poll,
        max_attempts: settings.worker.max_attempts,
        keep_parked: TimeDelta::from_std(settings.keep_parked).unwrap_or(TimeDelta::days(7)),
        keep_settled: TimeDelta::from_std(settings.keep_settled).unwrap_or(TimeDelta::days(90)),
    }
}
