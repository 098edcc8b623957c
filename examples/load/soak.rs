//! A long, steady load: whether memory stays flat, and whether descriptors and tasks are what they were when all is over.
//! Most of the connections are honest senders that now and then close and come again; a few forge, and a few say nothing,
//! half a head or half a body.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval_at, timeout};

use crate::database::Database;
use crate::sender::{Letters, Sent, connect, percentiles, read_answer, tampered};
use crate::server::{Child, Kind};
use crate::{Args, log};

/// The resident size that the service may reach.
const MOST_MEMORY_KIB: u64 = 100 * 1024;
/// The last third of the time may take a tenth more memory than the second. The allocator keeps what the busiest moment
/// took, and the machine decides when that is.
const MAY_GROW_BY: u64 = 10;
/// What a pool may have more of afterwards.
const MAY_STAY: usize = 4;
/// After so many deliveries an honest sender closes its connection and opens another.
const DELIVERIES_PER_CONNECTION: u64 = 20;
/// Of so many connections one forges and one is slow.
const ODD_ONE_IN: usize = 50;
/// How often the service is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// Longer than the service waits for anybody.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the service has at a moment.
#[derive(Clone, Copy, Debug)]
struct Look {
    memory_kib: u64,
    open_files: usize,
    tasks: usize,
}

impl Look {
    async fn at(child: &Child) -> anyhow::Result<Self> {
        let tasks = child.metric("leaver_tokio_tasks_alive").await;
        Ok(Self {
            memory_kib: child.memory_kib("VmRSS"),
            open_files: child.open_files(),
            tasks: tasks.context("the service does not say how many tasks it has")?,
        })
    }

    fn is_back_at(&self, before: &Self) -> bool {
        self.open_files <= before.open_files + MAY_STAY && self.tasks <= before.tasks + MAY_STAY
    }

    fn json(&self) -> Value {
        json!({"memory_kib": self.memory_kib, "open_files": self.open_files, "tasks": self.tasks})
    }
}

/// What all connections share.
struct Load {
    address: String,
    letters: Letters,
    /// Between two deliveries on one connection.
    pause: Duration,
    large_one_in: u64,
    began: Instant,
    until: Instant,
    acknowledged: AtomicU64,
    forged: AtomicU64,
    slow: AtomicU64,
}

/// Loads the whole service for `--seconds`, steadily.
pub(crate) async fn soak(args: &Args, database: &mut Database) -> anyhow::Result<Value> {
    enough_descriptors(args.connections)?;
    database.empty().await?;
    let mut child = Child::start(Kind::Service, database.url(), &log(Kind::Service))?;
    warm_up(&child, database).await?;
    let before = Look::at(&child).await?;

    let began = Instant::now();
    let load = Arc::new(Load {
        address: child.address().to_owned(),
        letters: Letters::new()?,
        pause: Duration::from_secs_f64(f64::from(u32::try_from(args.connections)?) / args.rate),
        large_one_in: args.large_one_in,
        began,
        // The last look is to see all of it.
        until: began + Duration::from_secs(args.seconds) + 2 * LOOK,
        acknowledged: AtomicU64::new(0),
        forged: AtomicU64::new(0),
        slow: AtomicU64::new(0),
    });
    let mut senders = JoinSet::new();
    for number in 0..args.connections {
        senders.spawn(attend(number, Arc::clone(&load)));
    }
    let looks = watch(args, &child, &load).await?;
    let mut sent = Sent::default();
    while let Some(one) = senders.join_next().await {
        sent.add(one??);
    }

    let after = settle(&child, &before).await?;
    let backlog = database.waiting().await?;
    let drained = database.drained().await?;
    let peak = child.memory_kib("VmHWM");
    let cpu_seconds = child.cpu_seconds();
    child.stop()?;
    let missing = database.missing(&sent.acknowledged).await?;
    let [first, second, last] = [0, 1, 2].map(|third| mean_memory(&looks, third));
    let found = json!({
        "connections": args.connections, "seconds": args.seconds, "rate": args.rate,
        "acknowledged": sent.acknowledged.len(), "refused": sent.refused, "missing": missing,
        "forgeries": load.forged.load(Ordering::Relaxed), "slow_requests": load.slow.load(Ordering::Relaxed),
        "answers": percentiles(sent.latencies),
        "backlog": backlog, "drain_seconds": drained.as_secs_f64(), "cpu_seconds": cpu_seconds,
        "peak_memory_kib": peak, "memory_kib_by_thirds": [first, second, last],
        "before": before.json(), "after": after.json(),
    });
    let says = serde_json::to_string_pretty(&found)?;
    ensure!(missing == 0 && sent.refused == 0, "lost or refused: {says}");
    ensure!(peak <= MOST_MEMORY_KIB, "more than 100 MiB: {says}");
    ensure!(
        last <= second + second / MAY_GROW_BY,
        "memory grows: {says}"
    );
    ensure!(after.is_back_at(&before), "something is left: {says}");
    Ok(found)
}

/// The service inherits our limit, and has as many connections as we.
fn enough_descriptors(connections: usize) -> anyhow::Result<()> {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let limit = line.and_then(|rest| rest.split_whitespace().next()?.parse::<usize>().ok());
    let needed = connections + 200;
    ensure!(
        limit.is_none_or(|limit| limit >= needed),
        "{connections} connections need {needed} descriptors: ulimit -n {needed}"
    );
    Ok(())
}

/// Lets the service open what it keeps open: connections to the database, above all.
async fn warm_up(child: &Child, database: &mut Database) -> anyhow::Result<()> {
    let letters = Arc::new(Letters::new()?);
    let mut senders = JoinSet::new();
    for _ in 0..16 {
        let mut stream = connect(child.address()).await?;
        let letters = Arc::clone(&letters);
        senders.spawn(async move {
            for _ in 0..25 {
                stream.write_all(&letters.request(1)).await?;
                let status = read_answer(&mut stream, &mut vec![]).await?;
                ensure!(status == 200, "a good delivery was answered {status}");
            }
            Ok(())
        });
    }
    while let Some(sender) = senders.join_next().await {
        sender??;
    }
    database.drained().await?;
    // Those connections are to be gone when we look.
    tokio::time::sleep(Duration::from_secs(1)).await;
    Ok(())
}

/// Looks at the service until the load ends; a line for each tenth of the time.
async fn watch(args: &Args, child: &Child, load: &Load) -> anyhow::Result<Vec<Look>> {
    let time = Duration::from_secs(args.seconds);
    let (mut looks, mut lines, mut known) = (vec![], 0, 0);
    if !args.json {
        println!("  second  memory KiB  descriptors  tasks  acknowledged");
    }
    while load.began.elapsed() < time {
        tokio::time::sleep(LOOK).await;
        let look = Look::at(child).await?;
        looks.push(look);
        if !args.json && load.began.elapsed() >= time / 10 * (lines + 1) {
            lines += 1;
            let acknowledged = load.acknowledged.load(Ordering::Relaxed);
            println!(
                "{:>8}  {:>10}  {:>11}  {:>5}  {:>12}",
                load.began.elapsed().as_secs(),
                look.memory_kib,
                look.open_files,
                look.tasks,
                acknowledged - known
            );
            known = acknowledged;
        }
    }
    Ok(looks)
}

/// Waits until nothing of the load is left, or long enough.
async fn settle(child: &Child, before: &Look) -> anyhow::Result<Look> {
    let began = Instant::now();
    loop {
        let look = Look::at(child).await?;
        if look.is_back_at(before) || began.elapsed() > PATIENCE {
            return Ok(look);
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

fn mean_memory(looks: &[Look], third: usize) -> u64 {
    let length = looks.len() / 3;
    let looks = &looks[third * length..(third + 1) * length];
    let sum: u64 = looks.iter().map(|look| look.memory_kib).sum();
    sum / u64::try_from(length.max(1)).unwrap_or(1)
}

/// One of the connections, in one of three roles.
async fn attend(number: usize, load: Arc<Load>) -> anyhow::Result<Sent> {
    let mut due = load.due(number);
    match number % ODD_ONE_IN {
        0 => forge(&load, &mut due).await?,
        1 => dawdle(&load).await?,
        _ => return send(number, &load, &mut due).await,
    }
    Ok(Sent::default())
}

impl Load {
    /// When this connection sends, so that all of them together send evenly.
    fn due(&self, number: usize) -> Interval {
        let share = self
            .pause
            .mul_f64(0.618 * f64::from(u32::try_from(number).unwrap_or(0)));
        let offset = share.as_secs_f64() % self.pause.as_secs_f64();
        let start = self.began + Duration::from_secs_f64(offset);
        let mut due = interval_at(start.into(), self.pause);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        due
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }
}

async fn send(number: usize, load: &Load, due: &mut Interval) -> anyhow::Result<Sent> {
    let mut sent = Sent::default();
    let mut stream = connect(&load.address).await?;
    let mut answer = vec![];
    // Else all of them would come again in the same second.
    let mut count = u64::try_from(number)?;
    while !load.is_over() {
        due.tick().await;
        count += 1;
        if count.is_multiple_of(DELIVERIES_PER_CONNECTION) {
            stream = connect(&load.address).await?;
        }
        let employees = if load.letters.count().is_multiple_of(load.large_one_in) {
            100
        } else {
            1
        };
        let request = load.letters.request(employees);
        let began = Instant::now();
        stream.write_all(&request).await?;
        let status = timeout(PATIENCE, read_answer(&mut stream, &mut answer)).await??;
        load.acknowledged
            .fetch_add(u64::from(status == 200), Ordering::Relaxed);
        sent.answered(status, &answer, began.elapsed())?;
        if status == 503 {
            // There was no room for us, and the connection is closed.
            stream = connect(&load.address).await?;
        }
    }
    Ok(sent)
}

async fn forge(load: &Load, due: &mut Interval) -> anyhow::Result<()> {
    let mut stream = connect(&load.address).await?;
    while !load.is_over() {
        due.tick().await;
        stream.write_all(&tampered(load.letters.request(1))).await?;
        let status = timeout(PATIENCE, read_answer(&mut stream, &mut vec![])).await??;
        ensure!(status == 401, "a forgery was answered {status}");
        load.forged.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Nothing, half a head, half a body, by turns; the service is to end each of them.
async fn dawdle(load: &Load) -> anyhow::Result<()> {
    for part in [0, 40, usize::MAX].into_iter().cycle() {
        if load.is_over() {
            break;
        }
        let mut stream = connect(&load.address).await?;
        let request = load.letters.request(1);
        let part = part.min(request.len() - 100);
        stream.write_all(&request[..part]).await?;
        let ended = timeout(PATIENCE, stream.read_to_end(&mut vec![])).await;
        // Closed or reset, it has ended.
        drop(ended.context("a slow client was not ended")?);
        load.slow.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
