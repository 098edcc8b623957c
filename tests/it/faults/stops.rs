//! Asked to stop while senders send, and started with other keys.

use std::time::Duration;

use tokio::time::sleep;

use super::checker::check;
use super::ledger::{Delivery, Doors, Senders, people};
use super::scene::gathered;
use crate::support::process::Place;
use crate::support::{BAMBOOHR_KEY, MERGE_KEY, USERS};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_exchanged_under_load_one_replica_after_the_other_and_no_sender_is_refused() {
    let mut place = Place::new(USERS).await;
    place.sql(&people(500)).await;
    let doors = Doors::default();
    let mut replicas = vec![];
    for replica in 0..2 {
        let service = place.serve(&[]);
        doors.set(replica, Some(service.address()));
        replicas.push(service);
    }
    let deliveries = (0..1_500).map(|n| Delivery::about(n % 500, n)).collect();
    let senders = Senders {
        connections: 8,
        minute: Duration::from_millis(40),
        seed: 5,
    };
    let senders = senders.send(&doors, deliveries);
    let rotated = [
        ("BAMBOOHR_WEBHOOK_SECRET", "a newer bamboohr key"),
        ("BAMBOOHR_WEBHOOK_SECRET_PREVIOUS", BAMBOOHR_KEY),
        ("MERGE_WEBHOOK_SECRET", "a newer merge key"),
        ("MERGE_WEBHOOK_SECRET_PREVIOUS", MERGE_KEY),
    ];
    for replica in 0..2 {
        sleep(Duration::from_millis(200)).await;
        replicas.remove(0).stop();
        let service = place.serve(&rotated);
        doors.set(replica, Some(service.address()));
        replicas.push(service);
    }
    let ledger = gathered(senders).await;
    let found = check(&mut place, &ledger).await;
    assert!(found.acknowledged > 1_400, "{found:?}");
    for service in replicas {
        service.stop();
    }
}
