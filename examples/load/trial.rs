//! Trials: time until access is off, valid deliveries during a flood of badly signed requests, and the effect of an
//! inbox with millions of processed deliveries.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use leaver::base::clock::{Clock, SystemClock};
use leaver_core::signature::Scheme;
use serde_json::{Value, json};
use sqlx::postgres::PgListener;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::database::Database;
use crate::sender::{
    self, connect, percentiles, read_response, scheme, signed_request, with_wrong_signature,
};
use crate::server::{Child, Kind};
use crate::{Args, log_path};

/// Number of terminations one after the other, before those at a fixed rate.
const SEQUENTIAL: u64 = 200;
/// Terminations per second.
const RATE: u64 = 100;

/// Measures the time from the request until another connection sees the deactivation committed.
pub(crate) async fn reaction(args: &Args, database: &mut Database) -> anyhow::Result<Value> {
    let people = SEQUENTIAL + RATE * args.seconds;
    database.reset().await?;
    database.add_people(people).await?;
    let mut child = Child::start(Kind::Service, database.url(), &log_path(Kind::Service))?;
    let mut access_ends = listen(database.url()).await?;
    let scheme = scheme()?;
    let mut stream = connect(child.address()).await?;
    let mut sequential = vec![];
    for number in 0..SEQUENTIAL {
        let began = Instant::now();
        terminate(&mut stream, &scheme, number).await?;
        let (_, at) = access_ends
            .recv()
            .await
            .context("the connection that listens for notifications ended")?;
        sequential.push(at.duration_since(began));
    }
    let open_before = child.open_files();
    let mut at_rate = vec![];
    let (began, mut sent_at) = (Instant::now(), vec![]);
    let mut requests = JoinSet::new();
    for number in SEQUENTIAL..people {
        let due = began + Duration::from_millis(1_000 / RATE * (number - SEQUENTIAL));
        tokio::time::sleep_until(due.into()).await;
        sent_at.push(Instant::now());
        let (address, scheme) = (child.address().to_owned(), scheme.clone());
        requests
            .spawn(async move { terminate(&mut connect(&address).await?, &scheme, number).await });
        while let Ok((number, at)) = access_ends.try_recv() {
            at_rate.push(at.duration_since(sent_at[usize::try_from(number - SEQUENTIAL)?]));
        }
    }
    while at_rate.len() < sent_at.len() {
        let (number, at) = access_ends
            .recv()
            .await
            .context("the connection that listens for notifications ended")?;
        at_rate.push(at.duration_since(sent_at[usize::try_from(number - SEQUENTIAL)?]));
    }
    while let Some(request) = requests.join_next().await {
        request??;
    }
    let peak_memory_kib = child.memory_kib("VmHWM");
    let open_after = child.open_files();
    child.stop()?;
    ensure!(
        database.active_people().await? == 0,
        "a terminated employee still has access"
    );
    Ok(
        json!({"sequential": percentiles(sequential), "at_100_per_second": percentiles(at_rate),
        "peak_memory_kib": peak_memory_kib, "open_files": [open_before, open_after]}),
    )
}

/// Returns a channel of deactivated people: the number of each person and the time of the notification.
async fn listen(url: &str) -> anyhow::Result<mpsc::UnboundedReceiver<(u64, Instant)>> {
    let mut listener = PgListener::connect(url).await?;
    listener.listen("access_ended").await?;
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok(notification) = listener.recv().await {
            if let Ok(number) = notification.payload().parse() {
                // The receiver is dropped after the last person.
                let _ = sender.send((number, Instant::now()));
            }
        }
    });
    Ok(receiver)
}

/// Sends a termination and waits for the response.
async fn terminate(stream: &mut TcpStream, scheme: &Scheme, number: u64) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let at = now.format("%Y-%m-%dT%H:%M:%S+0000");
    let body = format!(
        r#"{{"employees":[{{"id":"p{number}","action":"Updated","timestamp":"{at}","changedFields":["status"],"fields":{{"status":"Inactive","employmentHistoryStatus":"Terminated","workEmail":"person{number}@example.com"}}}}]}}"#
    );
    stream
        .write_all(&signed_request(scheme, &body, now))
        .await?;
    let status = read_response(stream, &mut vec![]).await?;
    ensure!(status == 200, "a termination got status {status}");
    Ok(())
}

/// Measures valid deliveries at a fixed rate, first alone, then while ten connections send badly signed requests.
pub(crate) async fn flood(args: &Args, database: &mut Database) -> anyhow::Result<Value> {
    database.reset().await?;
    let mut child = Child::start(Kind::Service, database.url(), &log_path(Kind::Service))?;
    let duration = Duration::from_secs(args.seconds);
    let alone = send_steadily(child.address(), duration).await?;
    let transactions_before = database.transactions().await?;
    let badly_signed = Arc::new(AtomicU64::new(0));
    let mut floods = JoinSet::new();
    let until = Instant::now() + duration;
    for _ in 0..10 {
        let (address, count) = (child.address().to_owned(), Arc::clone(&badly_signed));
        floods.spawn(async move { send_badly_signed(&address, until, &count).await });
    }
    let during_flood = send_steadily(child.address(), duration).await?;
    while let Some(flood) = floods.join_next().await {
        flood??;
    }
    // Badly signed requests must cause no transactions.
    let transactions = database.transactions().await? - transactions_before;
    child.stop()?;
    Ok(
        json!({"alone": percentiles(alone), "during_flood": percentiles(during_flood),
        "badly_signed_per_second": badly_signed.load(Ordering::Relaxed) / args.seconds.max(1),
        "transactions_during_flood": transactions}),
    )
}

/// Sends 100 valid deliveries per second on one connection and returns the response times.
async fn send_steadily(address: &str, duration: Duration) -> anyhow::Result<Vec<Duration>> {
    let (scheme, mut stream) = (scheme()?, connect(address).await?);
    let (began, mut latencies, mut number) = (Instant::now(), vec![], 0_u32);
    while began.elapsed() < duration {
        number += 1;
        tokio::time::sleep_until((began + Duration::from_millis(10) * number).into()).await;
        let now = SystemClock.now();
        let body = format!(
            r#"{{"employees":[],"note":"{number} {}"}}"#,
            now.timestamp_micros()
        );
        let sent_at = Instant::now();
        stream
            .write_all(&signed_request(&scheme, &body, now))
            .await?;
        let status = read_response(&mut stream, &mut vec![]).await?;
        ensure!(status == 200, "a valid delivery got status {status}");
        latencies.push(sent_at.elapsed());
    }
    Ok(latencies)
}

/// Sends badly signed requests as fast as they are answered, and counts them.
async fn send_badly_signed(address: &str, until: Instant, count: &AtomicU64) -> anyhow::Result<()> {
    let mut stream = connect(address).await?;
    let now = SystemClock.now();
    let body = format!(r#"{{"employees":[],"note":"{}"}}"#, "x".repeat(900));
    let request = with_wrong_signature(signed_request(&scheme()?, &body, now));
    let mut response = vec![];
    while Instant::now() < until {
        stream.write_all(&request).await?;
        let status = read_response(&mut stream, &mut response).await?;
        ensure!(status == 401, "a badly signed request got status {status}");
        count.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Measures receiving and processing with an empty inbox and with `--settled` processed deliveries.
#[expect(clippy::cast_precision_loss, reason = "the counts of a run are small")]
pub(crate) async fn settled(args: &Args, database: &mut Database) -> anyhow::Result<Value> {
    let count = args.settled;
    let mut rates = vec![];
    for round in 0..2 {
        database.reset().await?;
        if round == 1 {
            database.insert_processed(count).await?;
        }
        let mut child = Child::start(Kind::Group, database.url(), &log_path(Kind::Group))?;
        let duration = Duration::from_secs(args.seconds);
        let load = sender::load(child.address(), args.connections, duration).await?;
        child.stop()?;
        let backlog = database.pending().await?;
        let mut child = Child::start(Kind::Service, database.url(), &log_path(Kind::Service))?;
        let elapsed = database.wait_until_processed().await?;
        child.stop()?;
        rates.push((
            load.acknowledged.len() as f64 / load.elapsed.as_secs_f64(),
            backlog as f64 / elapsed.as_secs_f64(),
        ));
    }
    let [empty, full] = [rates[0], rates[1]];
    Ok(
        json!({"processed_deliveries": count, "acks_per_second": [empty.0, full.0], "processed_per_second": [empty.1, full.1],
        "acks_ratio": full.0 / empty.0, "processed_ratio": full.1 / empty.1}),
    )
}
