//! The loops of the working half, each started again should a bug end it.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::error;

use crate::engine::Engine;
use crate::jobs::drift;
use crate::jobs::provider_webhooks::monitor::WebhookMonitor;
use crate::jobs::source_silence::{self, SilenceThreshold};
use crate::jobs::sync::pending_reads::PendingReader;
use crate::jobs::sync::{SyncSource, Syncer};
use leaver_core::decision::policy::DriftMode;

/// How the loops are set.
pub(super) struct Watched {
    /// Batches of deliveries under way at a time.
    pub(super) batches: u32,
    /// What is done about access that should have ended.
    pub(super) drift: DriftMode,
    /// How often roster and accounts are compared.
    pub(super) drift_check: Duration,
    /// How long each source may be silent.
    pub(super) silence_thresholds: Vec<SilenceThreshold>,
}

/// Starts all loops.
pub(super) fn start(
    work: &TaskTracker,
    worker: &Arc<Engine>,
    companies: Vec<SyncSource>,
    watched: Watched,
    stop: &CancellationToken,
) {
    let own = || Arc::clone(worker);
    let mind = |name, run: Run| work.spawn(supervise(name, run, stop.clone()));
    for _ in 0..watched.batches {
        let worker = own();
        mind(
            "worker",
            Box::new(move |stop| {
                let worker = Arc::clone(&worker);
                tokio::spawn(async move { worker.run(stop).await })
            }),
        );
    }
    let worker = own();
    mind(
        "timer",
        Box::new(move |stop| {
            let worker = Arc::clone(&worker);
            tokio::spawn(async move { worker.run_timer(stop).await })
        }),
    );
    let worker = own();
    mind(
        "bell",
        Box::new(move |stop| {
            let worker = Arc::clone(&worker);
            tokio::spawn(async move { worker.run_listener(stop).await })
        }),
    );
    let worker = own();
    mind(
        "housekeeping",
        Box::new(move |stop| {
            let worker = Arc::clone(&worker);
            tokio::spawn(async move { worker.run_housekeeping(stop).await })
        }),
    );
    let drift = Arc::new(drift::DriftMonitor::new(
        own(),
        watched.drift,
        watched.drift_check,
    ));
    mind(
        "drift",
        Box::new(move |stop| {
            let drift = Arc::clone(&drift);
            tokio::spawn(async move { drift.run(stop).await })
        }),
    );
    let worker = own();
    let (pool, clock) = (worker.pool.clone(), Arc::clone(&worker.clock));
    let silence = Arc::new(source_silence::SilenceMonitor::new(
        pool,
        clock,
        watched.silence_thresholds,
    ));
    mind(
        "silence",
        Box::new(move |stop| {
            let silence = Arc::clone(&silence);
            tokio::spawn(async move { silence.run(stop).await })
        }),
    );
    let reader = PendingReader::new(own(), &companies);
    if reader.has_sources() {
        let reader = Arc::new(reader);
        mind(
            "reader",
            Box::new(move |stop| {
                let reader = Arc::clone(&reader);
                tokio::spawn(async move { reader.run(stop).await })
            }),
        );
    }
    let syncer = Arc::new(Syncer::new(own()));
    let watch = Arc::new(WebhookMonitor::new(own()));
    for company in companies.into_iter().map(Arc::new) {
        if company.client.webhook_api().is_some() {
            let (watch, company) = (Arc::clone(&watch), Arc::clone(&company));
            mind(
                "hooks",
                Box::new(move |stop| {
                    let (watch, company) = (Arc::clone(&watch), Arc::clone(&company));
                    tokio::spawn(async move { watch.run(&company, stop).await })
                }),
            );
        }
        let syncer = Arc::clone(&syncer);
        mind(
            "sync",
            Box::new(move |stop| {
                let (syncer, company) = (Arc::clone(&syncer), Arc::clone(&company));
                tokio::spawn(async move { syncer.run(&company, stop).await })
            }),
        );
    }
}

/// Starts a loop that runs until it is told to stop.
type Run = Box<dyn Fn(CancellationToken) -> tokio::task::JoinHandle<()> + Send + Sync>;

/// Runs a loop, and runs it again should a bug end it: deliveries must not pile up for one.
async fn supervise(name: &'static str, run: Run, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let ended = run(stop.clone()).await;
        if ended.is_err() && !stop.is_cancelled() {
            error!(
                task = name,
                "app.supervise: a loop ended with a bug; it starts again in a second"
            );
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}
