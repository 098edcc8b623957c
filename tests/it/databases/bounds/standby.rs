//! The only synchronous standby is down, and every commit waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sqlx::{ConnectOptions, Connection};
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use super::cluster::Cluster;
use super::{Watch, post};
use crate::faults::ledger::{Delivery, people};
use crate::support::{TestApp, USERS};

/// Seconds of the outage. `make standby-outage` sets 300.
fn outage() -> Duration {
    let seconds = std::env::var_os("STANDBY_OUTAGE_SECONDS");
    let seconds = seconds.map_or(15, |seconds| seconds.to_str().unwrap().parse().unwrap());
    Duration::from_secs(seconds)
}

#[expect(clippy::print_stderr, reason = "`make standby-outage` shows them")]
fn report(first: Duration, highest: i64, connected: usize) {
    eprintln!(
        "stored {} ms after the standby answered; {highest} backends at most; the application connected {connected} times",
        first.as_millis()
    );
}

#[tokio::test]
async fn an_outage_of_the_synchronous_standby_keeps_the_bounds() {
    let mut cluster = Cluster::start().await;
    let app = TestApp::builder()
        .on_server(
            cluster.primary.url("postgres"),
            cluster.primary.options("postgres"),
        )
        .tables(&(USERS.to_owned() + &people(200)))
        .build()
        .await;
    let mut service = app.serve(&[]);
    service.wait_until_ready();
    let options = cluster.primary.options("postgres");
    let watch = Watch::start(&options, "postgres").await;
    let ends = Arc::<AtomicBool>::default();
    let application = tokio::spawn(connect_throughout(options.clone(), Arc::clone(&ends)));
    let address = service.address().to_owned();
    assert_eq!(post(&address, &Delivery::about(0, 0)).await, 200);

    cluster.standby.stop();
    let mut senders = JoinSet::new();
    let mut every = interval(Duration::from_millis(50));
    let began = Instant::now();
    let mut n = 0;
    while began.elapsed() < outage() {
        every.tick().await;
        n += 1;
        // The first is stored already. It is not acknowledged again either.
        let about = if n == 1 { 0 } else { n };
        let (address, delivery) = (address.clone(), Delivery::about(about % 200, about));
        senders.spawn(async move {
            let sent_at = Instant::now();
            let status = post(&address, &delivery).await;
            (delivery, status, sent_at.elapsed())
        });
        // Answers are taken up, so that the set stays small.
        while let Some(Ok((_, status, _))) = senders.try_join_next() {
            assert_eq!(status, 503, "nothing is acknowledged without the standby");
        }
    }
    // The rest is in flight when the standby returns, with new ones.
    cluster.standby.start().await;
    let returned = Instant::now();
    while post(&address, &Delivery::about(1, n + 1)).await != 200 {
        assert!(returned.elapsed() < Duration::from_secs(20));
    }
    let first = returned.elapsed();
    for (delivery, status, _) in senders.join_all().await {
        assert!(status == 200 || status == 503, "{status}");
        if status == 503 {
            assert_eq!(post(&address, &delivery).await, 200);
        }
    }
    assert!(first < Duration::from_secs(3), "{first:?}");
    ends.store(true, Ordering::Relaxed);
    let connected = application.await.unwrap();
    assert!(connected > 10, "{connected}");
    let highest = watch.end().await;
    report(first, highest, connected);
    assert!(highest <= 12, "{highest}");
    let mut app = app;
    app.wait_until_processed().await;
    service.stop();
}

/// Connects again and again, as the application does. Returns how often.
async fn connect_throughout(
    options: sqlx::postgres::PgConnectOptions,
    ends: Arc<AtomicBool>,
) -> usize {
    let mut count = 0;
    while !ends.load(Ordering::Relaxed) {
        let connected = timeout(Duration::from_secs(5), options.connect()).await;
        connected.unwrap().unwrap().close().await.unwrap();
        count += 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    count
}
