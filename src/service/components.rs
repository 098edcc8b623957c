//! Builds the parts of a service from the settings.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use crate::api::token_failures::TokenFailures;
use crate::api::webhook_keys::WebhookKeys;
use crate::api::{AppState, Verification};
use crate::api::{authorize, error::ApiError, unrouted};
use crate::base::clock::Clock;
use crate::base::liveness::Liveness;
use crate::base::metrics::{CounterLabels, Metrics};
use crate::base::rejections::Rejections;
use crate::base::traces::Traces;
use crate::config::Settings;
use crate::connect::Way;
use crate::db::backends::Backends;
use crate::db::connection::ConnectSource;
use crate::db::lineage::{Memory, StateFile};
use crate::db::pool::{self, Pool};
use crate::engine::Engine;
use crate::engine::execute::Outcome;
use crate::engine::policies::Policies;
use crate::ingest::SilenceThreshold;
use crate::ingest::group_commit::{self, GroupCommit};
use crate::jobs::deliveries::{Deliveries, WorkerConfig};
use crate::jobs::housekeeping::{Housekeeping, Retention};
use crate::jobs::lineage::LineageMonitor;
use crate::jobs::scheduled_ends::ScheduledEnds;
use crate::reports::health::codes::{CODES_OF_DATABASE, CODES_OF_PROCESS};
use crate::reports::health::{self, HealthProbe};
use leaver_core::domain::SourceName;
use leaver_core::events::Subscriptions;
use leaver_core::signature::{Rejection, Scheme};

/// Connections for lists of the roster at a time, so that a client with many requests does not delay the jobs.
const LISTING_CONNECTIONS: usize = 1;

/// Collects the policies of all configured sources, for a command: it notifies the services of events, which send them.
#[must_use]
pub fn policies(settings: &Settings) -> Policies {
    policies_with(settings, subscriptions(settings).notifying())
}

fn subscriptions(settings: &Settings) -> Subscriptions {
    let destinations = settings.destinations.iter();
    Subscriptions::new(destinations.map(|destination| destination.subscription.clone()))
}

fn policies_with(settings: &Settings, subscriptions: Subscriptions) -> Policies {
    Policies::new(settings.sources.iter().map(|source| {
        (
            source.name.clone(),
            source.provider_config.clone(),
            source.policy.clone(),
        )
    }))
    .with_limits(settings.safeguard.limits)
    .with_subscriptions(subscriptions)
    .with_start_modes(
        settings
            .sources
            .iter()
            .map(|source| (source.name.clone(), source.mode)),
    )
}

/// Builds the engine of a command. Connects when a connection is first needed.
#[must_use]
pub fn engine(
    settings: &Settings,
    database: impl Into<ConnectSource>,
    clock: Arc<dyn Clock>,
) -> Engine {
    let backends = backends(settings, &database.into());
    engine_with(settings, &backends, policies(settings), clock)
}

fn backends(settings: &Settings, source: &ConnectSource) -> Backends {
    Backends::new(source, settings.database.max_connections)
}

fn engine_with(
    settings: &Settings,
    backends: &Backends,
    policies: Policies,
    clock: Arc<dyn Clock>,
) -> Engine {
    Engine::new(
        Pool::of(backends, pool::RESPONSE_TIMEOUT),
        clock,
        settings.accounts.clone(),
        policies,
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
    /// Detects that the database went back in time.
    pub lineage: Box<LineageMonitor>,
    /// Phase and heartbeats.
    pub liveness: Arc<Liveness>,
    /// The connections.
    pub backends: Backends,
    /// How everything connects.
    pub source: ConnectSource,
}

impl Components {
    /// Builds the parts. Connects when a connection is first needed.
    #[must_use]
    pub fn new(
        settings: &Settings,
        database: impl Into<ConnectSource>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self::with_health_cache(settings, database, clock, health::CACHE_FOR)
    }

    /// Does the same with another lifetime of cached health; with zero, each request queries the database.
    #[must_use]
    pub fn with_health_cache(
        settings: &Settings,
        database: impl Into<ConnectSource>,
        clock: Arc<dyn Clock>,
        health_cache: Duration,
    ) -> Self {
        let source = database.into();
        let backends = backends(settings, &source);
        // Its own job sends the events.
        let policies = policies_with(settings, subscriptions(settings));
        let mut engine = engine_with(settings, &backends, policies, Arc::clone(&clock));
        create_counters(settings, &engine.metrics);
        if let Some(traces) = &settings.traces {
            let metrics = Arc::clone(&engine.metrics);
            engine.traces = Traces::start(traces.sample_percent, metrics);
        }
        let engine = Arc::new(engine);
        let liveness = Arc::new(Liveness::default());
        let memory = Arc::new(Memory::default());
        let limits = group_commit::QueueLimits {
            max_pending: group_commit::DEFAULT_MAX_PENDING,
            max_bytes: settings.server.max_in_flight_bytes,
            store_timeout: settings.server.store_timeout,
        };
        let intake = GroupCommit::open(
            &backends,
            limits,
            Arc::clone(&engine.notifications.deliveries_arrived),
            Arc::clone(&engine.metrics),
            Arc::clone(&liveness),
            Arc::clone(&memory),
        );
        let state = Arc::new(AppState {
            webhook_keys: WebhookKeys::new(webhook_keys(settings)),
            silence_thresholds: silence_thresholds(settings),
            health_probe: HealthProbe::new(
                &backends.health,
                health_cache,
                settings
                    .sources
                    .iter()
                    .map(|source| (source.name.clone(), source.mode))
                    .collect(),
                settings
                    .sources
                    .iter()
                    .map(|source| (source.name.clone(), source.provider_config.clone()))
                    .collect(),
                Arc::clone(intake.signs()),
            ),
            intake,
            read_pool: engine.pool.limited_to(LISTING_CONNECTIONS),
            clock,
            liveness: Arc::clone(&liveness),
            metrics: Arc::clone(&engine.metrics),
            traces: engine.traces.clone(),
            log_throttle: Arc::default(),
            token_failures: TokenFailures::default(),
            rejections: Rejections::default(),
            path_prefix: settings.server.path_prefix.clone(),
            max_body_bytes: settings.server.max_body_bytes,
            body_timeout: settings.server.body_timeout,
            verification: Verification::default(),
            store_timeout: settings.server.store_timeout,
            admin_token: settings.server.admin_token.clone(),
        });
        let deliveries = Arc::new(Deliveries::new(
            Arc::clone(&engine),
            worker_config(settings),
            Arc::clone(&liveness),
        ));
        let state_file = settings.database.state_dir.clone().map(StateFile::new);
        Self {
            state,
            lineage: Box::new(LineageMonitor::new(
                engine.pool.clone(),
                Arc::clone(&engine.clock),
                memory,
                state_file,
            )),
            scheduled_ends: ScheduledEnds::new(Arc::clone(&engine), Arc::clone(&liveness)),
            housekeeping: Housekeeping::new(Arc::clone(&deliveries), retention(settings)),
            engine,
            deliveries,
            liveness,
            backends,
            source,
        }
    }
}

/// Creates the counters of all sources at 0.
fn create_counters(settings: &Settings, metrics: &Metrics) {
    let request_outcomes = [&["stored", "duplicate"], &ApiError::WEBHOOK_LABELS[..]].concat();
    metrics.create_counters(
        settings.sources.iter().map(|source| &source.name),
        &CounterLabels {
            request_outcomes: &request_outcomes,
            signature_failures: Rejection::REASONS,
            delivery_outcomes: &["processed", "ignored", "failed"],
            employee_outcomes: Outcome::NAMES,
            unrouted: &unrouted::REASONS,
            admin_refusals: &authorize::REASONS,
            health_reasons: &[&CODES_OF_PROCESS[..], &CODES_OF_DATABASE].concat(),
        },
    );
    for source in &settings.sources {
        if let Some(api) = &source.api {
            // Where the API lists changes without values, the records are read in one of several ways.
            let capabilities = source.scheme.provider().capabilities();
            let ways: &[Way] = if capabilities.lists_changed_employees {
                &Way::ALL
            } else {
                &[]
            };
            let ways = ways.iter().map(|way| way.as_str());
            metrics.create_sync_gauges(&source.name, api.sync_interval, ways);
        }
    }
}

/// Returns how long each source may send nothing, in the order of names.
pub(super) fn silence_thresholds(settings: &Settings) -> Vec<SilenceThreshold> {
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
pub(super) fn webhook_keys(settings: &Settings) -> HashMap<SourceName, Scheme> {
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

/// Lists that were shown to a person are kept at least this long.
const PREVIEWS_KEPT: TimeDelta = TimeDelta::days(31);

fn retention(settings: &Settings) -> Retention {
    let failed_bodies = TimeDelta::from_std(settings.inbox.failed_body_retention);
    let settled = TimeDelta::from_std(settings.inbox.delivery_retention);
    let observations = TimeDelta::from_std(settings.observations.retention);
    let expires = TimeDelta::from_std(settings.safeguard.approval_expires);
    Retention {
        failed_bodies: failed_bodies.unwrap_or(TimeDelta::days(7)),
        settled: settled.unwrap_or(TimeDelta::days(90)),
        observations: observations.unwrap_or(TimeDelta::days(400)),
        // A list that was used or has expired is still refused with its reason.
        previews: expires.unwrap_or(PREVIEWS_KEPT).max(PREVIEWS_KEPT),
    }
}
