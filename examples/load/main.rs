//! Measures how fast webhooks are received, over real sockets. Two baselines run on the same accept loop and verify
//! the same signatures: one stores nothing, the other runs one INSERT per request. Afterwards the example checks that
//! every acknowledged delivery is stored, and measures how fast the backlog is processed.
//!
//! ```text
//! cargo run --release --example load -- --connections 256 --seconds 10 --rounds 3
//! ```
//!
//! Each server is a child process and takes settings from variables such as `LEAVER__WORKER__CONCURRENCY`. The Postgres
//! is temporary and has the default, durable settings. All processes share the machine, so compare the ratios of one
//! run, not the numbers of two machines.

#![expect(clippy::print_stdout, reason = "the program prints its result")]

mod database;
mod large;
mod report;
mod sender;
mod server;
mod soak;
mod trial;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::{Parser, ValueEnum};

use crate::database::Database;
use crate::report::{Measurement, Report};
use crate::server::{Child, Kind};

/// Webhook secret of the senders and the servers.
const KEY: &str = "load-load-load-load-load-load-32";

/// Measure how fast webhooks are received, compared with two baselines
#[derive(Debug, Parser)]
struct Args {
    /// Number of keep-alive connections that send concurrently
    #[arg(long, default_value_t = 256)]
    connections: usize,
    /// Duration of the load on each server, in seconds
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Number of rounds; each round loads every server once
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Servers to load
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["nothing", "single", "group"])]
    servers: Vec<Kind>,
    /// Start the worker after the load, to measure receiving alone
    #[arg(long)]
    work_after: bool,
    /// Also measure processing, in batches and with one delivery per transaction
    #[arg(long)]
    processing: bool,
    /// Run this trial instead
    #[arg(long, value_enum)]
    trial: Option<Trial>,
    /// Number of processed deliveries in the inbox of the trial `settled`
    #[arg(long, default_value_t = 5_000_000)]
    settled: i64,
    /// Deliveries per second on all connections together, in the trial `soak`
    #[arg(long, default_value_t = 1_000.0)]
    rate: f64,
    /// In the trial `soak`, one in this many deliveries has a hundred employees (about 85 kB)
    #[arg(long, default_value_t = 100)]
    large_one_in: u64,
    /// URL of an existing Postgres to use instead of a temporary one; deletes the data in its schema `leaver`
    #[arg(long)]
    database: Option<String>,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
    /// Run as one of the servers (internal)
    #[arg(long, value_enum, hide = true)]
    serve: Option<Kind>,
}

/// Measurements other than throughput.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Trial {
    /// Time until access is off, for terminations one at a time and at 100 per second
    Reaction,
    /// Response times of valid deliveries during a flood of badly signed requests
    Flood,
    /// Receiving and processing with an empty inbox, and with millions of processed deliveries
    Settled,
    /// Time and peak memory for large bodies: many employees, and 10 MiB of what is not needed
    Large,
    /// A long, steady load; fails if memory keeps growing, or if descriptors or tasks leak
    Soak,
}

fn main() -> anyhow::Result<()> {
    // As the program does.
    allocator::limit_freed_memory();
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    match args.serve {
        Some(kind) => runtime.block_on(server::serve(kind, args.database.as_deref())),
        None => runtime.block_on(run(args)),
    }
}

async fn run(args: Args) -> anyhow::Result<()> {
    let mut database = Database::start(args.database.as_deref()).await?;
    if let Some(trial) = args.trial {
        let mut result = match trial {
            Trial::Reaction => trial::reaction(&args, &mut database).await?,
            Trial::Flood => trial::flood(&args, &mut database).await?,
            Trial::Settled => trial::settled(&args, &mut database).await?,
            Trial::Large => large::large(&mut database).await?,
            Trial::Soak => soak::soak(&args, &mut database).await?,
        };
        result["flushes_per_second"] = database.flushes_per_second()?.round().into();
        println!("{}", serde_json::to_string_pretty(&result)?);
        return database.stop().await;
    }
    let mut report = Report::new(&args, &mut database).await?;
    for round in 1..=args.rounds {
        for kind in &args.servers {
            let measurement = measure_server(&args, *kind, &mut database)
                .await
                .with_context(|| format!("round {round}, {kind:?}"))?;
            if !args.json {
                println!("round {round}: {measurement}");
            }
            report.add(measurement);
        }
    }
    if args.processing {
        for kind in [Kind::Service, Kind::OneByOne] {
            report.add_processing(kind, measure_processing(&args, kind, &mut database).await?);
        }
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report.json())?);
    } else {
        print!("{report}");
    }
    database.stop().await?;
    anyhow::ensure!(
        report.nothing_lost(),
        "an acknowledged delivery is missing or was not processed"
    );
    Ok(())
}

/// Loads one server, then checks what it stored.
async fn measure_server(
    args: &Args,
    kind: Kind,
    database: &mut Database,
) -> anyhow::Result<Measurement> {
    database.reset().await?;
    let has_worker = kind == Kind::Group && !args.work_after;
    let child_kind = if has_worker { Kind::Service } else { kind };
    let mut child = Child::start(child_kind, database.url(), &log_path(kind))?;
    let wal_before = database.wal_bytes().await?;
    let load = sender::load(
        child.address(),
        args.connections,
        Duration::from_secs(args.seconds),
    )
    .await?;
    let wal_bytes = database.wal_bytes().await? - wal_before;
    let flush_rows = child.rows_per_flush().await;
    let (peak_memory_kib, cpu_seconds) = (child.memory_kib("VmHWM"), child.cpu_seconds());
    let backlog = database.pending().await?;
    // The baseline `single` has no worker, but the service can process its deliveries.
    let drain = match kind {
        Kind::Nothing => None,
        _ if has_worker => Some(database.wait_until_processed().await?),
        _ => {
            child.stop()?;
            child = Child::start(Kind::Service, database.url(), &log_path(Kind::Service))?;
            Some(database.wait_until_processed().await?)
        }
    };
    child.stop()?;
    let missing = match kind {
        Kind::Nothing => 0,
        _ => database.missing(&load.acknowledged).await?,
    };
    Ok(Measurement::new(kind, &load)
        .with_storage(missing, wal_bytes)
        .with_process(flush_rows, peak_memory_kib, cpu_seconds)
        .with_backlog(backlog, drain))
}

/// Stores deliveries for one second, then returns how many per second a worker processes.
async fn measure_processing(
    args: &Args,
    kind: Kind,
    database: &mut Database,
) -> anyhow::Result<f64> {
    database.reset().await?;
    let mut receiver = Child::start(Kind::Group, database.url(), &log_path(Kind::Group))?;
    let second = Duration::from_secs(1);
    sender::load(receiver.address(), args.connections, second).await?;
    receiver.stop()?;
    let backlog = u32::try_from(database.pending().await?)?;
    let mut worker = Child::start(kind, database.url(), &log_path(kind))?;
    let elapsed = database.wait_until_processed().await?;
    worker.stop()?;
    Ok(f64::from(backlog) / elapsed.as_secs_f64())
}

fn log_path(kind: Kind) -> PathBuf {
    std::env::temp_dir().join(format!("leaver-load-{kind:?}.log").to_lowercase())
}
