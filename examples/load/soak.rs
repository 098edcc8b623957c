//! A long, steady load. Checks that memory stays flat, and that descriptors and tasks return to their counts before it.
//! Most connections are regular senders that reconnect now and then. A few send bad signatures, and a few send nothing,
//! half a request head or half a body.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval_at, timeout};

use crate::database::Database;
use crate::sender::{
    LoadResult, Requests, connect, percentiles, read_response, with_wrong_signature,
};
use crate::server::{Child, Kind};
use crate::{Args, log_path};

/// Limit of the peak resident memory of the service.
const MAX_MEMORY_KIB: u64 = 100 * 1024;
/// Mean memory may grow by one part in this many from the second third of the load to the last.
// The allocator keeps the memory of the busiest moment, which can come late on a busy machine.
const MAX_GROWTH_DIVISOR: u64 = 10;
/// Descriptors and tasks that may remain after the load, since a connection pool can grow.
const MAX_REMAINING: usize = 4;
/// Number of deliveries after which a regular sender reconnects.
const DELIVERIES_PER_CONNECTION: u64 = 20;
/// One in this many connections sends bad signatures, and one sends incomplete requests.
const FAULTY_ONE_IN: usize = 50;
/// Time between two samples.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(2);
/// Time limit for a response. Longer than the service waits for a request on a new connection.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

/// Resources of the service at one moment.
#[derive(Clone, Copy, Debug)]
struct Sample {
    memory_kib: u64,
    open_files: usize,
    tasks: usize,
}

impl Sample {
    async fn take(child: &Child) -> anyhow::Result<Self> {
        let tasks = child.metric("leaver_tokio_tasks_alive").await;
        Ok(Self {
            memory_kib: child.memory_kib("VmRSS"),
            open_files: child.open_files(),
            tasks: tasks.context("the service has no metric for its tasks")?,
        })
    }

    fn has_returned_to(&self, before: &Self) -> bool {
        self.open_files <= before.open_files + MAX_REMAINING
            && self.tasks <= before.tasks + MAX_REMAINING
    }

    fn json(&self) -> Value {
        json!({"memory_kib": self.memory_kib, "open_files": self.open_files, "tasks": self.tasks})
    }
}

/// State that all connections share.
struct Load {
    address: String,
    requests: Requests,
    /// Time between two deliveries on one connection.
    interval: Duration,
    large_one_in: u64,
    began: Instant,
    until: Instant,
    acknowledged: AtomicU64,
    badly_signed: AtomicU64,
    incomplete: AtomicU64,
}

/// Loads the whole service for `--seconds` at a steady `--rate`. Fails if a limit above is exceeded or a delivery is lost.
pub(crate) async fn soak(args: &Args, database: &mut Database) -> anyhow::Result<Value> {
    check_descriptor_limit(args.connections)?;
    database.reset().await?;
    let mut child = Child::start(Kind::Service, database.url(), &log_path(Kind::Service))?;
    warm_up(&child, database).await?;
    let before = Sample::take(&child).await?;

    let began = Instant::now();
    let load = Arc::new(Load {
        address: child.address().to_owned(),
        requests: Requests::new()?,
        interval: Duration::from_secs_f64(f64::from(u32::try_from(args.connections)?) / args.rate),
        large_one_in: args.large_one_in,
        began,
        // The load outlasts the last sample.
        until: began + Duration::from_secs(args.seconds) + 2 * SAMPLE_INTERVAL,
        acknowledged: AtomicU64::new(0),
        badly_signed: AtomicU64::new(0),
        incomplete: AtomicU64::new(0),
    });
    let mut senders = JoinSet::new();
    for number in 0..args.connections {
        senders.spawn(run_connection(number, Arc::clone(&load)));
    }
    let samples = take_samples(args, &child, &load).await?;
    let mut all = LoadResult::default();
    while let Some(result) = senders.join_next().await {
        all.merge(result??);
    }

    let after = wait_until_released(&child, &before).await?;
    let backlog = database.pending().await?;
    let drain = database.wait_until_processed().await?;
    let peak_memory_kib = child.memory_kib("VmHWM");
    let cpu_seconds = child.cpu_seconds();
    child.stop()?;
    let missing = database.missing(&all.acknowledged).await?;
    let [first, second, last] = [0, 1, 2].map(|third| mean_memory(&samples, third));
    let result = json!({
        "connections": args.connections, "seconds": args.seconds, "rate": args.rate,
        "acknowledged": all.acknowledged.len(), "refused": all.refused, "missing": missing,
        "badly_signed": load.badly_signed.load(Ordering::Relaxed), "incomplete": load.incomplete.load(Ordering::Relaxed),
        "responses": percentiles(all.latencies),
        "backlog": backlog, "drain_seconds": drain.as_secs_f64(), "cpu_seconds": cpu_seconds,
        "peak_memory_kib": peak_memory_kib, "memory_kib_by_thirds": [first, second, last],
        "before": before.json(), "after": after.json(),
    });
    let text = serde_json::to_string_pretty(&result)?;
    ensure!(
        missing == 0 && all.refused == 0,
        "valid deliveries are missing or were refused: {text}"
    );
    ensure!(
        peak_memory_kib <= MAX_MEMORY_KIB,
        "peak memory is above 100 MiB: {text}"
    );
    ensure!(
        last <= second + second / MAX_GROWTH_DIVISOR,
        "memory keeps growing: {text}"
    );
    ensure!(
        after.has_returned_to(&before),
        "descriptors or tasks remain after the load: {text}"
    );
    Ok(result)
}

/// Fails if the limit of open files is too low. The service inherits it and has as many connections as this process.
fn check_descriptor_limit(connections: usize) -> anyhow::Result<()> {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let limit = line.and_then(|rest| rest.split_whitespace().next()?.parse::<usize>().ok());
    let needed = connections + 200;
    ensure!(
        limit.is_none_or(|limit| limit >= needed),
        "{connections} connections need {needed} descriptors; run `ulimit -n {needed}`"
    );
    Ok(())
}

/// Sends a few deliveries, so that the service opens what it keeps open, such as database connections.
async fn warm_up(child: &Child, database: &mut Database) -> anyhow::Result<()> {
    let requests = Arc::new(Requests::new()?);
    let mut senders = JoinSet::new();
    for _ in 0..16 {
        let mut stream = connect(child.address()).await?;
        let requests = Arc::clone(&requests);
        senders.spawn(async move {
            for _ in 0..25 {
                stream.write_all(&requests.next(1)).await?;
                let status = read_response(&mut stream, &mut vec![]).await?;
                ensure!(status == 200, "a valid delivery got status {status}");
            }
            Ok(())
        });
    }
    while let Some(sender) = senders.join_next().await {
        sender??;
    }
    database.wait_until_processed().await?;
    // The first sample must not include these connections.
    tokio::time::sleep(Duration::from_secs(1)).await;
    Ok(())
}

/// Takes samples until the load ends. Prints a line for each tenth of the time, unless `--json` is given.
async fn take_samples(args: &Args, child: &Child, load: &Load) -> anyhow::Result<Vec<Sample>> {
    let duration = Duration::from_secs(args.seconds);
    let (mut samples, mut lines, mut printed) = (vec![], 0, 0);
    if !args.json {
        println!("  second  memory KiB  descriptors  tasks  acknowledged");
    }
    while load.began.elapsed() < duration {
        tokio::time::sleep(SAMPLE_INTERVAL).await;
        let sample = Sample::take(child).await?;
        samples.push(sample);
        if !args.json && load.began.elapsed() >= duration / 10 * (lines + 1) {
            lines += 1;
            let acknowledged = load.acknowledged.load(Ordering::Relaxed);
            println!(
                "{:>8}  {:>10}  {:>11}  {:>5}  {:>12}",
                load.began.elapsed().as_secs(),
                sample.memory_kib,
                sample.open_files,
                sample.tasks,
                acknowledged - printed
            );
            printed = acknowledged;
        }
    }
    Ok(samples)
}

/// Waits until descriptors and tasks are back at their counts before the load, or until a timeout. Returns the last sample.
async fn wait_until_released(child: &Child, before: &Sample) -> anyhow::Result<Sample> {
    let began = Instant::now();
    loop {
        let sample = Sample::take(child).await?;
        if sample.has_returned_to(before) || began.elapsed() > RESPONSE_TIMEOUT {
            return Ok(sample);
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// Returns the mean memory in KiB over one third of the samples.
fn mean_memory(samples: &[Sample], third: usize) -> u64 {
    let length = samples.len() / 3;
    let samples = &samples[third * length..(third + 1) * length];
    let sum: u64 = samples.iter().map(|sample| sample.memory_kib).sum();
    sum / u64::try_from(length.max(1)).unwrap_or(1)
}

/// Runs one connection in one of three roles.
async fn run_connection(number: usize, load: Arc<Load>) -> anyhow::Result<LoadResult> {
    let mut schedule = load.schedule(number);
    match number % FAULTY_ONE_IN {
        0 => send_badly_signed(&load, &mut schedule).await?,
        1 => send_incomplete(&load).await?,
        _ => return send(number, &load, &mut schedule).await,
    }
    Ok(LoadResult::default())
}

impl Load {
    /// Returns when a connection sends. Offsets spread all connections evenly over the interval.
    fn schedule(&self, number: usize) -> Interval {
        let share = self
            .interval
            .mul_f64(0.618 * f64::from(u32::try_from(number).unwrap_or(0)));
        let offset = share.as_secs_f64() % self.interval.as_secs_f64();
        let start = self.began + Duration::from_secs_f64(offset);
        let mut schedule = interval_at(start.into(), self.interval);
        schedule.set_missed_tick_behavior(MissedTickBehavior::Delay);
        schedule
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }
}

async fn send(number: usize, load: &Load, schedule: &mut Interval) -> anyhow::Result<LoadResult> {
    let mut result = LoadResult::default();
    let mut stream = connect(&load.address).await?;
    let mut response = vec![];
    // A different start for each connection, so that they do not all reconnect in the same second.
    let mut count = u64::try_from(number)?;
    while !load.is_over() {
        schedule.tick().await;
        count += 1;
        if count.is_multiple_of(DELIVERIES_PER_CONNECTION) {
            stream = connect(&load.address).await?;
        }
        let employees = if load.requests.count().is_multiple_of(load.large_one_in) {
            100
        } else {
            1
        };
        let request = load.requests.next(employees);
        let began = Instant::now();
        stream.write_all(&request).await?;
        let status = timeout(RESPONSE_TIMEOUT, read_response(&mut stream, &mut response)).await??;
        load.acknowledged
            .fetch_add(u64::from(status == 200), Ordering::Relaxed);
        result.record(status, &response, began.elapsed())?;
        if status == 503 {
            // The service is full and has closed the connection.
            stream = connect(&load.address).await?;
        }
    }
    Ok(result)
}

async fn send_badly_signed(load: &Load, schedule: &mut Interval) -> anyhow::Result<()> {
    let mut stream = connect(&load.address).await?;
    while !load.is_over() {
        schedule.tick().await;
        stream
            .write_all(&with_wrong_signature(load.requests.next(1)))
            .await?;
        let status = timeout(RESPONSE_TIMEOUT, read_response(&mut stream, &mut vec![])).await??;
        ensure!(status == 401, "a badly signed request got status {status}");
        load.badly_signed.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Sends nothing, half a head and half a body in rotation. Fails if the service does not close the connection.
async fn send_incomplete(load: &Load) -> anyhow::Result<()> {
    for length in [0, 40, usize::MAX].into_iter().cycle() {
        if load.is_over() {
            break;
        }
        let mut stream = connect(&load.address).await?;
        let request = load.requests.next(1);
        let length = length.min(request.len() - 100);
        stream.write_all(&request[..length]).await?;
        let closed = timeout(RESPONSE_TIMEOUT, stream.read_to_end(&mut vec![])).await;
        // A reset is a read error and counts as closed.
        drop(closed.context("the service did not close the connection of an incomplete request")?);
        load.incomplete.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
