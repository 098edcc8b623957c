//! Kills the service, one of two replicas or Postgres at random, again and again.
//!
//! `FAULTS_SEED`, `FAULTS_ROUNDS` and `FAULTS_DELIVERIES` repeat and enlarge a run.

use std::str::FromStr;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::checker::check;
use super::ledger::{Delivery, Endpoints, Senders};
use super::load_test::{count_503, gather};
use super::own_postgres::OwnPostgres;
use super::{Chance, say};
use crate::support::process::RunningService;

/// A variable of the run, or what it usually is.
fn variable<T: FromStr>(name: &str, usual: T) -> T {
    let set = std::env::var_os(name);
    let text = set.map(|text| text.into_string().unwrap());
    text.map_or(usual, |text| text.parse().ok().unwrap())
}

/// A seed that differs from run to run.
fn any_seed() -> u64 {
    u64::from(uuid::Uuid::new_v4().as_fields().0)
}

/// Kills at random while senders send, until both are through, and checks the books.
async fn killed_at_random(replicas: usize, rounds: u64, deliveries: usize) {
    let seed = variable("FAULTS_SEED", any_seed());
    let rounds = variable("FAULTS_ROUNDS", rounds);
    let deliveries = variable("FAULTS_DELIVERIES", deliveries);
    say(&format!(
        "FAULTS_SEED={seed} FAULTS_ROUNDS={rounds} FAULTS_DELIVERIES={deliveries}"
    ));
    let mut chance = Chance::of(seed);
    let mut own = OwnPostgres::start().await;
    let people = deliveries * 4 / 5;
    let mut app = own.app(people).await;
    let endpoints = Endpoints::default();
    let mut services: Vec<Option<RunningService>> = vec![];
    for replica in 0..replicas {
        let service = app.serve(&[]);
        endpoints.set(replica, Some(service.address()));
        services.push(Some(service));
    }
    let began = Instant::now();
    let all = (0..deliveries).map(|n| Delivery::about(n % people, n));
    let senders = Senders {
        connections: 16,
        minute: Duration::from_millis(150),
        seed,
    };
    let senders = senders.send(&endpoints, all.collect());
    let (mut kills, mut stops) = (0, 0);
    while kills < rounds {
        sleep(Duration::from_millis(chance.below(400))).await;
        let replica = usize::try_from(chance.below(replicas as u64)).unwrap();
        if chance.below(4) == 0 {
            own.crash().await;
            stops += 1;
            sleep(Duration::from_millis(chance.below(300))).await;
            if chance.below(2) == 0 {
                services[replica].as_mut().unwrap().process.kill();
                endpoints.set(replica, None);
                kills += 1;
                services[replica] = None;
            }
            own.start_again().await;
        } else {
            services[replica].as_mut().unwrap().process.kill();
            endpoints.set(replica, None);
            kills += 1;
            services[replica] = None;
        }
        if services[replica].is_none() {
            sleep(Duration::from_millis(chance.below(100))).await;
            let service = app.serve(&[]);
            endpoints.set(replica, Some(service.address()));
            services[replica] = Some(service);
        }
    }
    let ledger = gather(senders).await;
    own.reconnect(&mut app).await;
    let found = check(&mut app, &ledger).await;
    say(&format!(
        "{kills} kills, {stops} stops of Postgres, {} put off, {:.1} s: {found:?}",
        count_503(&ledger),
        began.elapsed().as_secs_f32()
    ));
    assert!(found.acknowledged * 10 > found.sent * 7, "{found:?}");
    for service in services.into_iter().flatten() {
        service.stop();
    }
    own.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_service_killed_at_random_loses_nothing() {
    killed_at_random(1, 8, 3_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_killed_at_random_lose_nothing() {
    killed_at_random(2, 8, 3_000).await;
}
