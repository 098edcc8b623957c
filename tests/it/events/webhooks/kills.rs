//! Kills the service and Postgres at random while people leave and the receiver fails a third of the time (E1).
//!
//! `EVENTS_SEED`, `EVENTS_PEOPLE` and `EVENTS_KILLS` repeat and enlarge a run. The waits between attempts are shortened: an hour
//! passes in a fifth of a second.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sqlx::{Executor, PgConnection, Row};
use tokio::time::sleep;

use super::verifiers::verified;
use super::{KEYS, bus};
use crate::faults::ledger::{Delivery, Endpoints, Senders, people};
use crate::faults::load_test::gather;
use crate::faults::own_postgres::OwnPostgres;
use crate::faults::{Chance, say};
use crate::support::apis::{Answer, ApiRequest, StandIn};
use crate::support::{TestApp, USERS};

/// Most failures of one event, so that none is given up.
const MAX_FAILURES: usize = 4;

/// A variable of the run, or the usual value.
fn variable<T: FromStr>(name: &str, usual: T) -> T {
    let set = std::env::var_os(name);
    let text = set.map(|text| text.into_string().unwrap());
    text.map_or(usual, |text| text.parse().ok().unwrap())
}

/// The requests that were accepted, and the failures of each event.
#[derive(Default)]
struct Received {
    accepted: Vec<ApiRequest>,
    failures: HashMap<String, usize>,
}

/// Starts a receiver that fails a third of the requests.
async fn receiver(seed: u64, received: &Arc<Mutex<Received>>) -> StandIn {
    let received = Arc::clone(received);
    let chance = Mutex::new(Chance::of(seed));
    StandIn::start(move |request| {
        let mut received = received.lock().unwrap();
        let id = request.header("webhook-id").to_owned();
        let failures = received.failures.entry(id).or_default();
        if *failures < MAX_FAILURES && chance.lock().unwrap().below(3) == 0 {
            *failures += 1;
            return Answer::status([500, 503, 429, 404][*failures % 4]);
        }
        received.accepted.push(request.clone());
        Answer::status(204)
    })
    .await
}

/// Makes what waits due, and returns the number of events that are not done. An error means that Postgres is down.
async fn let_time_pass(conn: &mut PgConnection, lease_s: i32) -> Result<i64, sqlx::Error> {
    let lapsed = "UPDATE leaver.outbox_attempts SET next_at = least(next_at, now()),
                  leased_until = CASE WHEN leased_until < now() + make_interval(secs => 60 - $1) THEN now() ELSE leased_until END
                  WHERE state IN ('due', 'leased')";
    sqlx::query(lapsed)
        .bind(lease_s)
        .execute(&mut *conn)
        .await?;
    let standing =
        "UPDATE leaver.destinations SET probe_at = least(probe_at, now()), wait_until = NULL";
    conn.execute(standing).await?;
    conn.execute("NOTIFY leaver, 'events'").await?;
    let open = "SELECT count(*) FROM leaver.outbox_attempts WHERE state <> 'done'";
    Ok(sqlx::query(open).fetch_one(conn).await?.get(0))
}

async fn count_pending(conn: &mut PgConnection) -> i64 {
    let pending = "SELECT count(*) FROM leaver.deliveries WHERE state = 'pending'";
    sqlx::query(pending).fetch_one(conn).await.unwrap().get(0)
}

/// Returns what was seen to change, as account, batch and type.
async fn flips(conn: &mut PgConnection) -> HashSet<[String; 3]> {
    let changes = "SELECT account_id, batch_id::text, 'account.' || direction FROM leaver.changes";
    let rows = sqlx::query(changes).fetch_all(conn).await.unwrap();
    rows.iter()
        .map(|row| [0, 1, 2].map(|n| row.get(n)))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_flip_is_received_through_kills_at_random() {
    let seed = variable("EVENTS_SEED", u64::from(uuid::Uuid::new_v4().as_fields().0));
    let count = variable("EVENTS_PEOPLE", 300);
    let kills = variable("EVENTS_KILLS", 5);
    say(&format!(
        "EVENTS_SEED={seed} EVENTS_PEOPLE={count} EVENTS_KILLS={kills}"
    ));
    let mut chance = Chance::of(seed);
    let received = Arc::new(Mutex::new(Received::default()));
    let bus_at = receiver(seed, &received).await;
    let mut own = OwnPostgres::start().await;
    let section = bus(&bus_at.url, "secrets = [\"env:ONE\", \"env:TWO\"]");
    let mut app = TestApp::builder()
        .on_server(own.url(), own.options())
        .tables(&(USERS.to_owned() + &people(count)))
        .with_config_file(&section)
        .settings(&[("ONE", KEYS[0]), ("TWO", KEYS[1])])
        .build()
        .await;
    let endpoints = Endpoints::default();
    let mut service = app.serve(&[]);
    endpoints.set(0, Some(service.address()));
    let began = Instant::now();
    let all = (0..count).map(|n| Delivery::about(n, n)).collect();
    let connections = 4;
    let minute = Duration::from_millis(150);
    let senders = Senders {
        connections,
        minute,
        seed,
    };
    let senders = senders.send(&endpoints, all);
    let (mut verdicts, mut verified_until) = (0, 0);
    for _ in 0..kills {
        sleep(Duration::from_millis(100 + chance.below(500))).await;
        let stops_postgres = chance.below(3) == 0;
        if stops_postgres {
            own.crash().await;
        }
        if !stops_postgres || chance.below(2) == 0 {
            service.process.kill();
            endpoints.set(0, None);
        }
        if stops_postgres {
            own.start_again().await;
        }
        own.reconnect(&mut app).await;
        if !service.process.is_running() {
            let_time_pass(&mut app.session.conn, 0).await.unwrap();
            service = app.serve(&[]);
            endpoints.set(0, Some(service.address()));
        }
        // The libraries refuse requests that are five minutes old, so a long run verifies as it goes.
        verdicts += verify(&received, &mut verified_until);
    }
    let ledger = gather(senders).await;
    // A long run leaves more behind than the usual limit of a wait allows for.
    let deadline = Instant::now() + Duration::from_mins(5);
    while count_pending(&mut app.session.conn).await > 0 {
        assert!(Instant::now() < deadline, "{}", service.process.err());
        sleep(Duration::from_millis(200)).await;
    }
    while let_time_pass(&mut app.session.conn, 5).await.unwrap() > 0 {
        assert!(Instant::now() < deadline, "{}", service.process.err());
        sleep(Duration::from_millis(200)).await;
    }
    verdicts += verify(&received, &mut verified_until);
    let flips = flips(&mut app.session.conn).await;
    let Received { accepted, failures } = std::mem::take(&mut *received.lock().unwrap());
    let mut ids: HashMap<[String; 3], HashSet<String>> = HashMap::new();
    for request in &accepted {
        let event = request.json();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let flip = [
            text(&event["data"]["account_id"]),
            text(&event["data"]["batch_id"]),
            text(&event["type"]),
        ];
        ids.entry(flip).or_default().insert(text(&event["id"]));
    }
    // Each flip has an event, each event a flip, and an event keeps its id.
    assert_eq!(ids.keys().cloned().collect::<HashSet<_>>(), flips);
    assert!(ids.values().all(|ids| ids.len() == 1), "{ids:?}");
    assert_eq!(verdicts, accepted.len());
    assert!(flips.len() * 10 > count * 5, "{} of {count}", flips.len());
    say(&format!(
        "{} flips of {} deliveries, {kills} kills, {} requests failed, {} received, {} twice; all verified with both keys by both libraries; {:.1} s",
        flips.len(),
        ledger.len(),
        failures.values().sum::<usize>(),
        accepted.len(),
        accepted.len() - flips.len(),
        began.elapsed().as_secs_f32()
    ));
    service.stop();
    own.stop().await;
}

/// Verifies what was accepted since the last call, with each key by each library, and returns the number of requests.
fn verify(received: &Mutex<Received>, from: &mut usize) -> usize {
    let newer = received.lock().unwrap().accepted[*from..].to_vec();
    *from += newer.len();
    for key in KEYS {
        assert!(verified(key, &newer).iter().all(|is_verified| *is_verified));
    }
    newer.len()
}
