//! The list of background jobs.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Components;
use crate::ingest::SilenceThreshold;
use crate::jobs::deliveries::DeliveryWorker;
use crate::jobs::deliveries::notify::Listener;
use crate::jobs::drift::DriftMonitor;
use crate::jobs::provider_webhooks::monitor::{WebhookJob, WebhookMonitor};
use crate::jobs::runner::Runner;
use crate::jobs::source_silence::SilenceMonitor;
use crate::jobs::sync::pending_reads::{PendingReader, PendingReadsJob};
use crate::jobs::sync::{SyncJob, SyncSource, Syncer};
use leaver_core::decision::policy::DriftMode;

/// Settings of the jobs.
pub(super) struct JobSettings {
    /// Delivery workers of this process.
    pub(super) workers: u32,
    /// Action on access that should have ended.
    pub(super) drift_mode: DriftMode,
    /// Between two drift checks.
    pub(super) drift_interval: Duration,
    /// How long a pending read fails permanently before a person has to decide.
    pub(super) give_up_after: Duration,
    /// How long each source may send nothing.
    pub(super) silence_thresholds: Vec<SilenceThreshold>,
    /// Sources with an API.
    pub(super) sources: Vec<SyncSource>,
}

/// Starts all jobs.
pub(super) fn start(
    runner: &Runner,
    components: &Components,
    settings: JobSettings,
    stop: &CancellationToken,
) {
    let engine = &components.engine;
    // More batches at a time would wait for connections that other batches hold.
    let workers = settings.workers.min(engine.pool.max_batches());
    for _ in 0..workers {
        let deliveries = Arc::clone(&components.deliveries);
        runner.start(move || DeliveryWorker::new(Arc::clone(&deliveries)));
    }
    let (pool, notifications) = (engine.pool.clone(), engine.notifications.clone());
    runner.start(move || Listener::new(pool.clone(), notifications.clone()));
    let ends = components.scheduled_ends.clone();
    runner.start(move || ends.clone());
    let lineage = components.lineage.clone();
    runner.start(move || (*lineage).clone());
    let housekeeping = components.housekeeping.clone();
    runner.start(move || housekeeping.clone());
    let compared = Arc::clone(engine);
    let (mode, interval) = (settings.drift_mode, settings.drift_interval);
    runner.start(move || DriftMonitor::new(Arc::clone(&compared), mode, interval));
    let checked = Arc::clone(engine);
    let thresholds = settings.silence_thresholds;
    runner.start(move || SilenceMonitor::new(Arc::clone(&checked), thresholds.clone()));
    let reader = PendingReader::new(
        Arc::clone(engine),
        &settings.sources,
        settings.give_up_after,
    );
    if reader.has_sources() {
        let (reader, stop) = (Arc::new(reader), stop.clone());
        runner.start(move || PendingReadsJob::new(Arc::clone(&reader), stop.clone()));
    }
    let syncer = Arc::new(Syncer::new(Arc::clone(engine)));
    let monitor = Arc::new(WebhookMonitor::new(Arc::clone(engine)));
    for source in settings.sources.into_iter().map(Arc::new) {
        if source.client.webhook_api().is_some() {
            let (monitor, source) = (Arc::clone(&monitor), Arc::clone(&source));
            runner.start(move || WebhookJob::new(Arc::clone(&monitor), Arc::clone(&source)));
        }
        let syncer = Arc::clone(&syncer);
        runner.start(move || SyncJob {
            syncer: Arc::clone(&syncer),
            source: Arc::clone(&source),
        });
    }
}
