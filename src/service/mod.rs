//! Builds the service from the settings, starts it, and stops it in order. Nothing else builds pools, router and jobs.

mod apis;
mod components;
mod database;
mod database_url;
mod jobs;
mod listeners;
pub(crate) mod log_filter;
pub mod telemetry;
mod startup;
pub(crate) mod systemd;
mod traces;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

pub(crate) use self::apis::check_address;
pub use self::apis::companies;
pub use self::components::{Components, engine, policies};
use self::components::{silence_thresholds, webhook_keys};
pub(crate) use self::database::describe;
pub use self::database::{connect, connect_options, connect_source};
use self::jobs::JobSettings;
use self::listeners::{Listeners, Serving};
use self::startup::Startup;
use self::traces::Exporter;
use crate::base::clock::Clock;
use crate::base::liveness::Phase;
use crate::config::{Environment, Settings};
use crate::db::connection::ConnectSource;
use crate::db::lineage::StateFile;
use crate::jobs::outbox::Sender;
use crate::jobs::runner::Runner;
use leaver_core::decision::policy::DriftMode;

/// Time limit for storing what senders left behind that hung up.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(4);

/// A running service.
pub struct Service {
    address: SocketAddr,
    admin_address: Option<SocketAddr>,
    drain_delay: Duration,
    work_stop: CancellationToken,
    http: Serving,
    work: TaskTracker,
    components: Arc<Components>,
    senders: Vec<Arc<Sender>>,
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
        database: impl Into<ConnectSource>,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        if let Some(folder) = &settings.database.state_dir {
            StateFile::new(folder.clone()).prepare()?;
        }
        let listeners = Listeners::bind(&settings.server)?;
        let (address, admin_address) = (listeners.address(), listeners.admin_address());
        let job_settings = JobSettings {
            workers: settings.worker.concurrency,
            drift_mode: settings.drift.mode,
            drift_interval: settings.drift.interval,
            give_up_after: settings.pending_reads.give_up_after,
            silence_thresholds: silence_thresholds(settings),
            sources: companies(settings, &crate::connect::ClientLimits::default(), &clock)?,
        };
        let database = database.into();
        let place = describe(&database.current());
        let components = Arc::new(Components::new(settings, database, clock));
        let senders = jobs::senders(&components, settings)?;
        let metrics = &components.engine.metrics;
        let exporter = match &settings.traces {
            Some(traces) => Some(Exporter::new(traces, Arc::clone(metrics))?),
            None => None,
        };
        let work_stop = CancellationToken::new();
        let http = listeners.serve(&components.state);
        let work = TaskTracker::new();
        work.spawn({
            let (throttle, stop) = (
                Arc::clone(&components.state.log_throttle),
                work_stop.clone(),
            );
            async move { throttle.report(&stop).await }
        });
        if let (Some(exporter), Some(spans)) = (exporter, components.engine.traces.take_spans()) {
            work.spawn(exporter.run(spans, work_stop.clone()));
        }
        let (ready, failed) = (CancellationToken::new(), CancellationToken::new());
        let failure = Arc::new(std::sync::Mutex::new(None));
        let startup = Startup {
            backends: components.backends.clone(),
            intake: components.state.intake.clone(),
            max_connections: settings.database.max_connections,
            pool: components.engine.pool.clone(),
            mapping: settings.accounts.clone(),
            migrate: settings.database.migrate,
            policies: Arc::clone(&components.engine.policies),
            clock: Arc::clone(&components.engine.clock),
            place: place.clone(),
            signs: Arc::clone(components.state.intake.signs()),
        };
        let reports = systemd::Reports {
            components: Arc::clone(&components),
            ready: ready.clone(),
            stop: work_stop.clone(),
            status: format!("Accepting webhooks on {address}"),
        };
        work.spawn(reports.run());
        work.spawn({
            let (components, work_stop) = (Arc::clone(&components), work_stop.clone());
            let (failed, failure) = (failed.clone(), Arc::clone(&failure));
            let runner = Runner::new(work.clone(), work_stop.clone());
            let senders = senders.clone();
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
                jobs::start(&runner, &components, job_settings, &senders, &work_stop);
                ready.cancel();
            }
        });
        let admin = admin_address.map(tracing::field::display);
        info!(%address, admin_address = admin, version = env!("CARGO_PKG_VERSION"), "service.start: listening");
        log_settings(settings, &place);
        Ok(Self {
            address,
            admin_address,
            drain_delay: settings.server.drain_delay,
            work_stop,
            http,
            work,
            components,
            senders,
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

    /// Replaces the webhook keys, and the secrets and addresses of destinations, by those of these settings. Other settings
    /// keep their values.
    pub(crate) fn replace_keys(&self, settings: &Settings) {
        let keys = &self.components.state.webhook_keys;
        self.components.state.rejections.forget_signatures();
        for source in keys.replace_keys(&webhook_keys(settings)) {
            warn!(%source, "service.replace_keys: the source is not configured any more; its keys stay until a restart");
        }
        for sender in &self.senders {
            replace_destination(sender, settings);
        }
        info!("service.replace_keys: replaced the webhook keys and the secrets of destinations");
    }

    /// Replaces the role, the password and the certificates of the database by those of these settings. Open connections stay.
    /// A URL that cannot be used, or that names another database, is logged and changes nothing.
    pub(crate) fn replace_database(&self, settings: &Settings, env: &Environment) {
        let adopted = connect_source(&settings.database, env)
            .and_then(|newer| Ok(self.components.source.adopt(&newer)?));
        match adopted {
            Ok(true) => {
                info!("service.replace_database: replaced `database.url`; new connections use it");
            }
            Ok(false) => {}
            Err(error) => error!(
                "service.replace_database: cannot use the new `database.url`; keeping the current one: {error:#}"
            ),
        }
    }

    /// Waits until the service cannot continue, and returns why.
    pub async fn failed(&self) -> anyhow::Error {
        self.failed.cancelled().await;
        let reason = self.failure.lock().ok().and_then(|mut slot| slot.take());
        reason.unwrap_or_else(|| anyhow!("the service failed"))
    }

    /// Returns for how long [`Service::leave`] waits: `server.drain_delay`, and zero before the service was ready, since no load
    /// balancer sends requests then.
    #[must_use]
    pub fn drain_delay(&self) -> Duration {
        if self.is_ready() {
            self.drain_delay
        } else {
            Duration::ZERO
        }
    }

    /// Turns readiness to 503 at once, and serves requests for [`Service::drain_delay`]: load balancers find out meanwhile.
    pub async fn leave(&self) {
        let delay = self.drain_delay();
        self.components.liveness.enter(Phase::Leaving);
        self.http.leave();
        tokio::time::sleep(delay).await;
    }

    /// Stops in order: accepts no more requests, finishes those in flight, stores what is queued, ends the jobs, closes the
    /// admin listener and the connections to the database.
    pub async fn stop(self) {
        self.components.liveness.enter(Phase::Draining);
        self.http.leave();
        let admin = self.http.end_public().await;
        // The queue holds deliveries of senders that hung up; all others have their response by now.
        let stored = self.components.state.intake.close();
        if tokio::time::timeout(QUEUE_TIMEOUT, stored).await.is_err() {
            warn!(
                "service.stop: deliveries of senders that hung up are not stored; they were not acknowledged"
            );
        }
        self.work_stop.cancel();
        self.work.close();
        let jobs_end = tokio::time::timeout(Duration::from_secs(10), self.work.wait());
        if jobs_end.await.is_err() {
            warn!(
                "service.stop: a job did not end within 10 s; its transaction is rolled back and repeated at the next start"
            );
        }
        self.components.lineage.save().await;
        admin.end().await;
        let pool = &self.components.engine.pool;
        drop(tokio::time::timeout(Duration::from_secs(3), pool.close()).await);
        info!("service.stop: stopped");
    }
}

/// Replaces the secrets and the address of a destination by those of these settings.
fn replace_destination(sender: &Sender, settings: &Settings) {
    let name = sender.name();
    let mut newer = settings.destinations.iter();
    let Some(newer) = newer.find(|destination| destination.name() == name) else {
        warn!(
            destination = name,
            "service.replace_keys: the destination is not configured any more; it stays until a restart"
        );
        return;
    };
    if let Err(error) = sender.replace(newer) {
        let destination = name;
        error!(
            destination,
            "service.replace_keys: cannot use the new settings; keeping the current ones: {error:#}"
        );
    }
}

/// Logs the sources, the destinations and the users table, without secrets.
fn log_settings(settings: &Settings, place: &str) {
    for source in &settings.sources {
        let (name, api) = (&source.name, source.api.as_ref());
        let provider = source.policy.provider.as_str();
        let path = settings.server.webhook_path(name);
        let keys = source.scheme.keys().len();
        let url = settings.server.webhook_url(name);
        let sync_interval_s = api.map(|api| api.sync_interval.as_secs());
        info!(source = %name, provider, path, url, keys, has_api = api.is_some(), sync_interval_s, "service.start: source");
    }
    for destination in &settings.destinations {
        let (name, kind) = (destination.name(), destination.kind.as_str());
        let types = destination.subscription.types.len();
        info!(
            destination = name,
            kind, types, "service.start: destination"
        );
    }
    let table = &settings.accounts.table;
    let mode = settings.safeguard.mode.as_str();
    let drift = if settings.drift.mode == DriftMode::Fix {
        "fix"
    } else {
        "report"
    };
    info!(
        table,
        database = place,
        mode,
        drift,
        "service.start: users table"
    );
}
