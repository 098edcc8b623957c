//! Trials beside the load itself: how soon somebody's access is off, what a flood of forgeries does to others, and
//! whether an inbox full of settled deliveries slows anything.

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
use crate::sender::{self, connect, percentiles, read_answer, request, scheme, tampered};
use crate::server::{Child, Kind};
use crate::{Args, log};

/// Departures one after the other, before those at a rate.
const ONE_BY_ONE: u64 = 200;
/// Departures a second.
const RATE: u64 = 100;

/// From the request to the moment at which everybody can see that access is off.
pub(crate) async fn reaction(args: &Args, database: &mut Database) -> anyhow::Result<Value> {
    let people = ONE_BY_ONE + RATE * args.seconds;
    database.empty().await?;
    database.employ(people).await?;
    let mut child = Child::start(Kind::Service, database.url(), &log(Kind::Service))?;
    let mut off = listen(database.url()).await?;
    let scheme = scheme()?;
    let mut stream = connect(child.address()).await?;
    let mut idle = vec![];
    for number in 0..ONE_BY_ONE {
        let began = Instant::now();
        depart(&mut stream, &scheme, number).await?;
        let (_, at) = off.recv().await.context("the listener ended")?;
        idle.push(at.duration_since(began));
    }
    let used_before = child.open_files();
    let mut at_rate = vec![];
    let (began, mut sent) = (Instant::now(), vec![]);
    let mut answers = JoinSet::new();
    for number in ONE_BY_ONE..people {
        let due = began + Duration::from_millis(1_000 / RATE * (number - ONE_BY_ONE));
        tokio::time::sleep_until(due.into()).await;
        sent.push(Instant::now());
        let (address, scheme) = (child.address().to_owned(), scheme.clone());
        answers.spawn(async move { depart(&mut connect(&address).await?, &scheme, number).await });
        while let Ok((number, at)) = off.try_recv() {
            at_rate.push(at.duration_since(sent[usize::try_from(number - ONE_BY_ONE)?]));
        }
    }
    while at_rate.len() < sent.len() {
        let (number, at) = off.recv().await.context("the listener ended")?;
        at_rate.push(at.duration_since(sent[usize::try_from(number - ONE_BY_ONE)?]));
    }
    while let Some(answer) = answers.join_next().await {
        answer??;
    }
    let peak_memory_kib = child.memory_kib("VmHWM");
    let used_after = child.open_files();
    child.stop()?;
    ensure!(
        database.active_people().await? == 0,
        "somebody still has access"
    );
    Ok(
        json!({"idle": percentiles(idle), "at_100_a_second": percentiles(at_rate),
        "peak_memory_kib": peak_memory_kib, "open_files": [used_before, used_after]}),
    )
}

/// The number of each person whose access goes off, as soon as that is committed.
async fn listen(url: &str) -> anyhow::Result<mpsc::UnboundedReceiver<(u64, Instant)>> {
    let mut listener = PgListener::connect(url).await?;
    listener.listen("off").await?;
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok(heard) = listener.recv().await {
            if let Ok(number) = heard.payload().parse() {
                // Nobody listens any more once the last one is known.
                let _ = tell.send((number, Instant::now()));
            }
        }
    });
    Ok(told)
}

async fn depart(stream: &mut TcpStream, scheme: &Scheme, number: u64) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let at = now.format("%Y-%m-%dT%H:%M:%S+0000");
    let body = format!(
        r#"{{"employees":[{{"id":"p{number}","action":"Updated","timestamp":"{at}","changedFields":["status"],"fields":{{"status":"Inactive","employmentHistoryStatus":"Terminated","workEmail":"person{number}@example.com"}}}}]}}"#
    );
    stream.write_all(&request(scheme, &body, now)).await?;
    let status = read_answer(stream, &mut vec![]).await?;
    ensure!(status == 200, "a departure was answered {status}");
    Ok(())
}

/// Good deliveries at a rate, alone and then beside as many forgeries as ten connections can send.
pub(crate) async fn flood(args: &Args, database: &mut Database) -> anyhow::Result<Value> {
    database.empty().await?;
    let mut child = Child::start(Kind::Service, database.url(), &log(Kind::Service))?;
    let time = Duration::from_secs(args.seconds);
    let quiet = steady(child.address(), time).await?;
    let transactions = database.transactions().await?;
    let forged = Arc::new(AtomicU64::new(0));
    let mut forgers = JoinSet::new();
    let until = Instant::now() + time;
    for _ in 0..10 {
        let (address, forged) = (child.address().to_owned(), Arc::clone(&forged));
        forgers.spawn(async move { forge(&address, until, &forged).await });
    }
    let flooded = steady(child.address(), time).await?;
    while let Some(forger) = forgers.join_next().await {
        forger??;
    }
    // What the good ones need is known from the quiet time; forgeries must add nothing to it.
    let during = database.transactions().await? - transactions;
    child.stop()?;
    Ok(
        json!({"quiet": percentiles(quiet), "flooded": percentiles(flooded),
        "forgeries_a_second": forged.load(Ordering::Relaxed) / args.seconds.max(1),
        "transactions_while_flooded": during}),
    )
}

async fn steady(address: &str, time: Duration) -> anyhow::Result<Vec<Duration>> {
    let (scheme, mut stream) = (scheme()?, connect(address).await?);
    let (began, mut taken, mut number) = (Instant::now(), vec![], 0_u32);
    while began.elapsed() < time {
        number += 1;
        tokio::time::sleep_until((began + Duration::from_millis(10) * number).into()).await;
        let now = SystemClock.now();
        let body = format!(
            r#"{{"employees":[],"note":"{number} {}"}}"#,
            now.timestamp_micros()
        );
        let sent = Instant::now();
        stream.write_all(&request(&scheme, &body, now)).await?;
        let status = read_answer(&mut stream, &mut vec![]).await?;
        ensure!(status == 200, "a good delivery was answered {status}");
        taken.push(sent.elapsed());
    }
    Ok(taken)
}

async fn forge(address: &str, until: Instant, forged: &AtomicU64) -> anyhow::Result<()> {
    let mut stream = connect(address).await?;
    let now = SystemClock.now();
    let body = format!(r#"{{"employees":[],"note":"{}"}}"#, "x".repeat(900));
    let forgery = tampered(request(&scheme()?, &body, now));
    let mut answer = vec![];
    while Instant::now() < until {
        stream.write_all(&forgery).await?;
        let status = read_answer(&mut stream, &mut answer).await?;
        ensure!(status == 401, "a forgery was answered {status}");
        forged.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Receiving and processing with an empty inbox and with one that has so many settled deliveries.
#[expect(clippy::cast_precision_loss, reason = "counts of a run are small")]
pub(crate) async fn settled(args: &Args, database: &mut Database) -> anyhow::Result<Value> {
    let count = args.settled;
    let mut rates = vec![];
    for round in 0..2 {
        database.empty().await?;
        if round == 1 {
            database.fill(count).await?;
        }
        let mut child = Child::start(Kind::Group, database.url(), &log(Kind::Group))?;
        let time = Duration::from_secs(args.seconds);
        let sent = sender::load(child.address(), args.connections, time).await?;
        child.stop()?;
        let backlog = database.waiting().await?;
        let mut child = Child::start(Kind::Service, database.url(), &log(Kind::Service))?;
        let took = database.drained().await?;
        child.stop()?;
        rates.push((
            sent.acknowledged.len() as f64 / sent.took.as_secs_f64(),
            backlog as f64 / took.as_secs_f64(),
        ));
    }
    let [empty, full] = [rates[0], rates[1]];
    Ok(
        json!({"settled": count, "acks_per_second": [empty.0, full.0], "settled_per_second": [empty.1, full.1],
        "receiving": full.0 / empty.0, "processing": full.1 / empty.1}),
    )
}
