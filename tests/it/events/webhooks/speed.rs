//! How soon an event is received after the flip, and what a destination costs webhooks in (E2).
//!
//! `EVENTS_SPEED_SECONDS` makes the run longer, and `EVENTS_INTAKE` adds so many rounds that compare webhooks in with and
//! without a destination.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use leaver::base::clock::{Clock, SystemClock};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};

use super::{KEYS, bus};
use crate::faults::ledger::{Client, Delivery, Reply, people};
use crate::faults::say;
use crate::support::apis::{Answer, StandIn};
use crate::support::process::RunningService;
use crate::support::{TestApp, USERS};

const PER_SECOND: usize = 100;
/// Connections on which deliveries arrive.
const CONNECTIONS: usize = 8;

fn number(name: &str, usual: usize) -> usize {
    let set = std::env::var_os(name);
    set.map_or(usual, |text| text.to_str().unwrap().parse().unwrap())
}

/// The delivery by which a person leaves; two of three numbers of [`Delivery::about`] do.
fn leaver(n: usize) -> Delivery {
    let n = n / 2 * 3 + 1 + n % 2;
    Delivery::about(n, n)
}

async fn app_with(section: &str, count: usize) -> TestApp {
    let builder = TestApp::builder().tables(&(USERS.to_owned() + &people(count * 2)));
    let builder = builder.settings(&[("ONE", KEYS[0])]);
    builder.with_config_file(section).build().await
}

/// Returns the value below which this many of a hundred are.
fn percentile(times: &mut [TimeDelta], percent: usize) -> TimeDelta {
    times.sort_unstable();
    times[(times.len() - 1) * percent / 100]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_received_soon_after_the_flip() {
    let count = PER_SECOND * number("EVENTS_SPEED_SECONDS", 4);
    let times: Arc<Mutex<Vec<TimeDelta>>> = Arc::default();
    let receiver = StandIn::start({
        let times = Arc::clone(&times);
        move |request| {
            // The time of the event is read before the transaction of the flip begins.
            let flipped_at: DateTime<Utc> = request.json()["timestamp"]
                .as_str()
                .unwrap()
                .parse()
                .unwrap();
            times.lock().unwrap().push(SystemClock.now() - flipped_at);
            Answer::status(204)
        }
    });
    let receiver = receiver.await;
    let app = app_with(&bus(&receiver.url, "secrets = [\"env:ONE\"]"), count).await;
    let service = app.serve(&[]);
    let mut tick = interval(Duration::from_secs(1) / u32::try_from(PER_SECOND).unwrap());
    let mut sent = JoinSet::new();
    for n in 0..count {
        tick.tick().await;
        let (address, request) = (service.address().to_owned(), leaver(n).request());
        sent.spawn(async move { Client::default().ask(Some(address), &request).await });
    }
    let replies = sent.join_all().await;
    assert!(
        replies
            .iter()
            .all(|reply| matches!(reply, Reply::Accepted(_)))
    );
    receiver.wait_until_requested(count).await;
    let mut times = times.lock().unwrap().clone();
    assert_eq!(times.len(), count);
    let [median, p99] = [50, 99].map(|percent| percentile(&mut times, percent));
    say(&format!(
        "{count} flips, {PER_SECOND} a second: median {} ms, 99 of 100 under {} ms, all under {} ms",
        median.num_milliseconds(),
        p99.num_milliseconds(),
        percentile(&mut times, 100).num_milliseconds()
    ));
    // The limits of the release build, which `make events-speed` measures. A debug build has ten times as long.
    let scale = if cfg!(debug_assertions) { 10 } else { 1 };
    assert!(median < TimeDelta::milliseconds(100) * scale, "{median}");
    assert!(p99 < TimeDelta::seconds(1) * scale, "{p99}");
    service.stop();
    compare_intake().await;
}

/// Prints how many deliveries a second are stored, and processed, with and without a destination, in rounds that alternate.
async fn compare_intake() {
    let rounds = number("EVENTS_INTAKE", 0);
    let count = 4_000;
    let mut rates = [vec![], vec![]];
    for round in 0..rounds * 2 {
        let receiver = StandIn::always(Answer::status(204)).await;
        let has_destination = round % 2 == 1;
        let section = bus(&receiver.url, "secrets = [\"env:ONE\"]");
        let section = if has_destination {
            section
        } else {
            String::new()
        };
        let mut app = app_with(&section, count).await;
        let service = app.serve(&[]);
        let began = Instant::now();
        post_all(&service, count).await;
        let stored = began.elapsed();
        app.session.wait_until_processed().await;
        let processed = began.elapsed();
        let rate =
            |elapsed: Duration| f64::from(u32::try_from(count).unwrap()) / elapsed.as_secs_f64();
        say(&format!(
            "destination: {has_destination}; {:.0} stored a second, {:.0} processed a second",
            rate(stored),
            rate(processed)
        ));
        rates[usize::from(has_destination)].push((rate(stored), rate(processed)));
        service.stop();
        sleep(Duration::from_millis(200)).await;
    }
    if rounds > 0 {
        let median = |of: fn(&(f64, f64)) -> f64, has_destination: usize| {
            let mut all: Vec<f64> = rates[has_destination].iter().map(of).collect();
            all.sort_by(f64::total_cmp);
            all[all.len() / 2]
        };
        for (name, of) in [
            ("stored", (|rate| rate.0) as fn(&(f64, f64)) -> f64),
            ("processed", |rate| rate.1),
        ] {
            let change = (median(of, 1) / median(of, 0) - 1.0) * 100.0;
            say(&format!(
                "{name}: {change:+.1} % with a destination, median of {rounds} rounds"
            ));
        }
    }
}

/// Posts this many deliveries on all connections, as fast as they are answered.
async fn post_all(service: &RunningService, count: usize) {
    let mut senders = JoinSet::new();
    for connection in 0..CONNECTIONS {
        let address = service.address().to_owned();
        senders.spawn(async move {
            let mut client = Client::default();
            for n in (connection..count).step_by(CONNECTIONS) {
                let reply = client
                    .ask(Some(address.clone()), &leaver(n).request())
                    .await;
                assert!(matches!(reply, Reply::Accepted(_)), "{reply:?}");
            }
        });
    }
    senders.join_all().await;
}
