//! Loads the receiving half over real sockets and measures it beside two yardsticks: the same accept loop and signature
//! check with nothing stored, and with one INSERT per request. Afterwards it looks into the database whether everything
//! that was acknowledged is there, and how long the working half takes for it.
//!
//! ```text
//! cargo run --release --example load -- --connections 256 --seconds 10 --rounds 3
//! ```
//!
//! Each server is a child process of its own, and takes settings from variables like `LEAVER__WORKER__CONCURRENCY`. The Postgres is a throw-away one with its usual, durable settings; it,
//! the server and the senders share the machine, so compare ratios of one run and not numbers of two machines.

#![expect(clippy::print_stdout, reason = "a program whose output is its result")]

mod database;
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
use crate::report::{Measured, Report};
use crate::server::{Child, Kind};

/// The key that both sides of the load know.
const KEY: &str = "load-load-load-load-load-load-32";

/// Load the receiving half and measure it beside two yardsticks
#[derive(Debug, Parser)]
struct Args {
    /// Keep-alive connections that send at the same time
    #[arg(long, default_value_t = 256)]
    connections: usize,
    /// How long each server is loaded
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// How often all servers take their turn
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Load only these servers
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["nothing", "single", "group"])]
    servers: Vec<Kind>,
    /// Let the working half wait until the load is over, to measure receiving alone
    #[arg(long)]
    work_after: bool,
    /// Measure processing, too: how fast a backlog goes in batches, and how fast one delivery per transaction
    #[arg(long)]
    processing: bool,
    /// Make this trial instead
    #[arg(long, value_enum)]
    trial: Option<Trial>,
    /// How many settled deliveries fill the inbox for the trial `settled`
    #[arg(long, default_value_t = 5_000_000)]
    settled: i64,
    /// Deliveries a second of all connections together for the trial `soak`
    #[arg(long, default_value_t = 1_000.0)]
    rate: f64,
    /// Of so many deliveries of the trial `soak` one is about a hundred employees, some 85 kB
    #[arg(long, default_value_t = 100)]
    large_one_in: u64,
    /// An existing Postgres instead of a throw-away one; the schema `leaver` in it is emptied
    #[arg(long)]
    database: Option<String>,
    /// One JSON object instead of lines for people
    #[arg(long)]
    json: bool,
    /// Be one of the servers (used by this program itself)
    #[arg(long, value_enum, hide = true)]
    serve: Option<Kind>,
}

/// What else can be measured.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Trial {
    /// How soon access is off, one departure at a time and at 100 a second
    Reaction,
    /// What a flood of forgeries does to good deliveries
    Flood,
    /// Receiving and processing with an empty inbox, and with one full of settled deliveries
    Settled,
    /// A steady load for long: memory stays flat, descriptors and tasks come back
    Soak,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let threads = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    match args.serve {
        Some(kind) => threads.block_on(server::serve(kind, args.database.as_deref())),
        None => threads.block_on(measure(args)),
    }
}

async fn measure(args: Args) -> anyhow::Result<()> {
    let mut database = Database::start(args.database.as_deref()).await?;
    if let Some(trial) = args.trial {
        let mut found = match trial {
            Trial::Reaction => trial::reaction(&args, &mut database).await?,
            Trial::Flood => trial::flood(&args, &mut database).await?,
            Trial::Settled => trial::settled(&args, &mut database).await?,
            Trial::Soak => soak::soak(&args, &mut database).await?,
        };
        found["flushes_per_second"] = database.flushes_per_second()?.round().into();
        println!("{}", serde_json::to_string_pretty(&found)?);
        return database.stop().await;
    }
    let mut report = Report::new(&args, &mut database).await?;
    for round in 1..=args.rounds {
        for kind in &args.servers {
            let measured = one(&args, *kind, &mut database)
                .await
                .with_context(|| format!("round {round}, {kind:?}"))?;
            if !args.json {
                println!("round {round}: {measured}");
            }
            report.add(measured);
        }
    }
    if args.processing {
        for kind in [Kind::Service, Kind::OneByOne] {
            report.process(kind, process(&args, kind, &mut database).await?);
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
        "an acknowledged delivery is missing or was never settled"
    );
    Ok(())
}

/// Loads one server and looks at what it has stored.
async fn one(args: &Args, kind: Kind, database: &mut Database) -> anyhow::Result<Measured> {
    database.empty().await?;
    let works = kind == Kind::Group && !args.work_after;
    let child_kind = if works { Kind::Service } else { kind };
    let mut child = Child::start(child_kind, database.url(), &log(kind))?;
    let wal = database.wal().await?;
    let sent = sender::load(
        child.address(),
        args.connections,
        Duration::from_secs(args.seconds),
    )
    .await?;
    let wal = database.wal().await? - wal;
    let flush_rows = child.rows_per_flush().await;
    let (peak_memory_kib, cpu_seconds) = (child.memory_kib("VmHWM"), child.cpu_seconds());
    let backlog = database.waiting().await?;
    // For a yardstick too, whose deliveries are as good as any.
    let drain = match kind {
        Kind::Nothing => None,
        _ if works => Some(database.drained().await?),
        _ => {
            child.stop()?;
            child = Child::start(Kind::Service, database.url(), &log(Kind::Service))?;
            Some(database.drained().await?)
        }
    };
    child.stop()?;
    let missing = match kind {
        Kind::Nothing => 0,
        _ => database.missing(&sent.acknowledged).await?,
    };
    Ok(Measured::new(kind, &sent)
        .stored(missing, wal)
        .served(flush_rows, peak_memory_kib, cpu_seconds)
        .worked(backlog, drain))
}

/// Stores deliveries for a second, and then measures how many a second a working half settles.
async fn process(args: &Args, kind: Kind, database: &mut Database) -> anyhow::Result<f64> {
    database.empty().await?;
    let mut receiving = Child::start(Kind::Group, database.url(), &log(Kind::Group))?;
    let second = Duration::from_secs(1);
    sender::load(receiving.address(), args.connections, second).await?;
    receiving.stop()?;
    let backlog = u32::try_from(database.waiting().await?)?;
    let mut working = Child::start(kind, database.url(), &log(kind))?;
    let took = database.drained().await?;
    working.stop()?;
    Ok(f64::from(backlog) / took.as_secs_f64())
}

fn log(kind: Kind) -> PathBuf {
    std::env::temp_dir().join(format!("leaver-load-{kind:?}.log").to_lowercase())
}
