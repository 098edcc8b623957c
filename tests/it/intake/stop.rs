//! The real binary with many senders, while it or its Postgres is stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use leaver::base::clock::{Clock, SystemClock};
use leaver_core::signature::{Key, Scheme};
use nix::sys::signal::Signal;
use sqlx::ConnectOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::support::database::{kept_in, start_postgres};
use crate::support::process::RunningService;
use crate::support::{BAMBOOHR_KEY, MERGE_KEY, TestApp, USERS, scratch};

/// A Merge webhook, as bytes on the wire.
fn webhook(body: &str) -> Vec<u8> {
    let key = Key::new(&MERGE_KEY.into()).unwrap();
    let scheme = Scheme::Merge { keys: vec![key] };
    let mut request = format!(
        "POST /webhooks/merge HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in scheme.sign(body.as_bytes(), SystemClock.now()) {
        let line = [name.as_str(), ": ", value.to_str().unwrap(), "\r\n"];
        request.extend(line);
    }
    format!("{request}\r\n{body}").into_bytes()
}

/// Reads one response: its status, and the delivery's id if there is one.
async fn answer(client: &mut TcpStream) -> (String, Option<Uuid>) {
    let mut text = String::new();
    let mut bytes = [0; 1024];
    while !text.ends_with('}') {
        match client.read(&mut bytes).await {
            Ok(read) if read > 0 => text.push_str(std::str::from_utf8(&bytes[..read]).unwrap()),
            _ => break,
        }
    }
    let id = text.split_once(r#""delivery":""#);
    let id = id.map(|(_, rest)| rest[..36].parse().unwrap());
    (text.get(9..12).unwrap_or("none").to_owned(), id)
}

#[tokio::test]
async fn a_stop_answers_a_thousand_pending_senders() {
    let mut app = TestApp::builder().unmigrated().build().await;
    let mut service = app.serve(&[("LEAVER__SERVER__MAX_CONNECTIONS", "1100")]);
    app.sql("BEGIN; LOCK TABLE leaver.deliveries IN EXCLUSIVE MODE")
        .await;
    let mut senders = JoinSet::new();
    let mut held_up = 0;
    for n in 0..1_000 {
        let mut client = TcpStream::connect(service.address()).await.unwrap();
        client
            .write_all(&webhook(&format!("{{\"n\":{n}}}")))
            .await
            .unwrap();
        senders.spawn(async move { answer(&mut client).await });
        // One by one until each flusher is blocked with one.
        if held_up == n && waiting(&service, Duration::from_millis(200), 1).await == 0 {
            held_up += 1;
        }
    }
    let all = 1_000 - held_up;
    assert_eq!(waiting(&service, Duration::from_secs(10), all).await, all);
    service.process.signal(Signal::SIGTERM);
    service.process.wait_for("service.stop: draining");
    app.sql("COMMIT").await;
    let answers = senders.join_all().await;
    service.process.wait().succeeded();
    let stored = app.lines("SELECT id::text FROM leaver.deliveries").await;
    let stored: std::collections::HashSet<Uuid> =
        stored.iter().map(|id| id.parse().unwrap()).collect();
    for (status, id) in &answers {
        match id {
            Some(id) => assert!(status == "200" && stored.contains(id)),
            None => assert_eq!(status, "503"),
        }
    }
    let yes = answers.iter().filter(|(status, _)| status == "200");
    assert!(yes.count() > 900, "the database was there again at once");
}

/// Waits until this many deliveries are pending in memory, or the time is over. Returns how many are.
async fn waiting(service: &RunningService, within: Duration, count: usize) -> usize {
    let began = Instant::now();
    loop {
        let metrics = service.get("/metrics").await.2;
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix("leaver_insert_queue_length "));
        let waiting = line.unwrap().parse().unwrap();
        if waiting == count || began.elapsed() > within {
            return waiting;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_postgres_restart_under_load_loses_nothing() {
    let home = scratch::folder();
    let mut postgres = start_postgres(kept_in(home.path())).await;
    let mut conn = postgres
        .connect_options("postgres")
        .connect()
        .await
        .unwrap();
    sqlx::raw_sql(USERS).execute(&mut conn).await.unwrap();
    let url = postgres.url("postgres");
    let mut service = RunningService::start(&[
        ("DATABASE_URL", url.as_str()),
        ("BAMBOOHR_WEBHOOK_SECRET", BAMBOOHR_KEY),
        ("MERGE_WEBHOOK_SECRET", MERGE_KEY),
        ("LEAVER_LISTEN", "127.0.0.1:0"),
        ("LEAVER_ADMIN_LISTEN", "127.0.0.1:0"),
    ]);
    service.wait_until_ready();
    let enough = Arc::new(AtomicBool::new(false));
    let mut senders = JoinSet::new();
    for sender in 0..16 {
        let (enough, address) = (Arc::clone(&enough), service.address().to_owned());
        senders.spawn(async move {
            let mut client = TcpStream::connect(address).await.unwrap();
            let (mut answers, mut slowest) = (vec![], Duration::ZERO);
            for n in 0.. {
                if enough.load(Ordering::Relaxed) {
                    break;
                }
                let request = webhook(&format!("{{\"sender\":{sender},\"n\":{n}}}"));
                let began = Instant::now();
                client.write_all(&request).await.unwrap();
                answers.push(answer(&mut client).await);
                slowest = slowest.max(began.elapsed());
            }
            (answers, slowest)
        });
    }
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        tokio::task::spawn_blocking(move || postgres.stop().unwrap())
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        postgres = start_postgres(kept_in(home.path())).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    enough.store(true, Ordering::Relaxed);
    let mut acknowledged = vec![];
    for (answers, slowest) in senders.join_all().await {
        assert!(slowest < Duration::from_secs(10), "{slowest:?}");
        for (status, id) in answers {
            assert_eq!(status, "200");
            acknowledged.push(id.unwrap());
        }
    }
    let mut conn = postgres
        .connect_options("postgres")
        .connect()
        .await
        .unwrap();
    let lost: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM unnest($1::uuid[]) AS a (id) WHERE NOT EXISTS (SELECT FROM leaver.deliveries d WHERE d.id = a.id)",
    )
    .bind(&acknowledged)
    .fetch_one(&mut conn)
    .await
    .unwrap();
    assert!(
        lost == 0 && acknowledged.len() > 50,
        "{lost} of {}",
        acknowledged.len()
    );
    drop(conn);
    service.stop();
    tokio::task::spawn_blocking(move || postgres.stop().unwrap())
        .await
        .unwrap();
}
