//! The loops of the working half, each started again should a bug end it.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::error;

use crate::pull::{Company, Reader, Syncer};
use crate::worker::Worker;

/// Starts all loops.
pub(super) fn start(
    work: &TaskTracker,
    worker: &Arc<Worker>,
    companies: Vec<Company>,
    stop: &CancellationToken,
) {
    let own = || Arc::clone(worker);
    let mind = |name, run: Run| work.spawn(supervise(name, run, stop.clone()));
    let worker = own();
    mind(
        "worker",
        Box::new(move |stop| {
            let worker = Arc::clone(&worker);
            tokio::spawn(async move { worker.run(stop).await })
        }),
    );
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
        "housekeeping",
        Box::new(move |stop| {
            let worker = Arc::clone(&worker);
            tokio::spawn(async move { worker.run_housekeeping(stop).await })
        }),
    );
    let reader = Reader::new(own(), &companies);
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
    for company in companies.into_iter().map(Arc::new) {
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
