//! The result of a run, as text and as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use crate::Args;
use crate::database::Database;
use crate::sender::LoadResult;
use crate::server::Kind;

/// One server in one round.
#[derive(Debug, Serialize)]
pub(crate) struct Measurement {
    #[serde(serialize_with = "name")]
    server: Kind,
    acknowledged: usize,
    refused: u64,
    acks_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    p999_ms: f64,
    /// Number of acknowledged deliveries that are not stored or not processed.
    lost: i64,
    rows_per_flush: Option<f64>,
    wal_bytes_per_delivery: f64,
    peak_memory_kib: u64,
    cpu_seconds: f64,
    /// Number of pending deliveries at the end of the load.
    backlog: i64,
    drain_seconds: Option<f64>,
    drained_per_second: Option<f64>,
    #[serde(skip)]
    elapsed: f64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde requires this signature"
)]
fn name<S: serde::Serializer>(kind: &Kind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{kind:?}"))
}

#[expect(clippy::cast_precision_loss, reason = "the counts of a run are small")]
impl Measurement {
    pub(crate) fn new(server: Kind, load: &LoadResult) -> Self {
        let elapsed = load.elapsed.as_secs_f64();
        let percentile = |thousandths: usize| {
            let last = load.latencies.len().saturating_sub(1);
            let found = load.latencies.get(last * thousandths / 1000);
            found.map_or(f64::NAN, |latency| latency.as_secs_f64() * 1000.0)
        };
        Self {
            server,
            acks_per_second: load.acknowledged.len() as f64 / elapsed,
            p50_ms: percentile(500),
            p99_ms: percentile(990),
            p999_ms: percentile(999),
            acknowledged: load.acknowledged.len(),
            refused: load.refused,
            lost: 0,
            rows_per_flush: None,
            wal_bytes_per_delivery: 0.0,
            peak_memory_kib: 0,
            cpu_seconds: 0.0,
            backlog: 0,
            drain_seconds: None,
            drained_per_second: None,
            elapsed,
        }
    }

    /// Adds what the database stored.
    pub(crate) fn with_storage(mut self, lost: i64, wal: i64) -> Self {
        self.lost = lost;
        self.wal_bytes_per_delivery = wal as f64 / self.acknowledged.max(1) as f64;
        self
    }

    /// Adds the figures of the server process.
    pub(crate) fn with_process(
        mut self,
        rows: Option<f64>,
        memory_kib: u64,
        cpu_seconds: f64,
    ) -> Self {
        self.rows_per_flush = rows;
        self.peak_memory_kib = memory_kib;
        self.cpu_seconds = cpu_seconds;
        self
    }

    /// Adds the backlog at the end of the load and the time in which it was processed.
    pub(crate) fn with_backlog(mut self, backlog: i64, drain: Option<Duration>) -> Self {
        self.backlog = backlog;
        self.drain_seconds = drain.map(|drain| drain.as_secs_f64());
        self.drained_per_second = self.drain_seconds.map(|drain| backlog as f64 / drain);
        self
    }
}

impl fmt::Display for Measurement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<8} {:>7.0} acks/s  p50 {:.2} ms  p99 {:.1} ms  p99.9 {:.1} ms  refused {}  {} MiB  {:.1} us cpu/request",
            format!("{:?}", self.server).to_lowercase(),
            self.acks_per_second,
            self.p50_ms,
            self.p99_ms,
            self.p999_ms,
            self.refused,
            self.peak_memory_kib / 1024,
            self.cpu_seconds * 1e6
                / f64::from(u32::try_from(self.acknowledged.max(1)).unwrap_or(u32::MAX)),
        )?;
        if let Some(rows) = self.rows_per_flush {
            write!(f, "  {rows:.0} rows/flush")?;
        }
        if self.server != Kind::Nothing {
            write!(
                f,
                "  {:.0} B WAL/delivery  lost {}",
                self.wal_bytes_per_delivery, self.lost
            )?;
        }
        if let (Some(seconds), Some(rate)) = (self.drain_seconds, self.drained_per_second) {
            write!(
                f,
                "  backlog {} processed in {seconds:.1} s ({rate:.0}/s) after {:.1} s of load",
                self.backlog, self.elapsed
            )?;
        }
        Ok(())
    }
}

/// All rounds of a run.
pub(crate) struct Report {
    connections: usize,
    seconds: u64,
    cores: usize,
    flushes_per_second: f64,
    settings: BTreeMap<String, String>,
    measurements: Vec<Measurement>,
    /// Deliveries processed per second, in batches and one by one.
    processed_per_second: BTreeMap<&'static str, f64>,
}

impl Report {
    pub(crate) async fn new(args: &Args, database: &mut Database) -> anyhow::Result<Self> {
        Ok(Self {
            connections: args.connections,
            seconds: args.seconds,
            cores: std::thread::available_parallelism()?.get(),
            flushes_per_second: database.flushes_per_second()?,
            settings: database.settings().await?.into_iter().collect(),
            measurements: vec![],
            processed_per_second: BTreeMap::new(),
        })
    }

    pub(crate) fn add_processing(&mut self, kind: Kind, processed_per_second: f64) {
        let name = if kind == Kind::OneByOne {
            "one_by_one"
        } else {
            "in_batches"
        };
        self.processed_per_second.insert(name, processed_per_second);
    }

    /// Returns the rate in batches divided by the rate one by one.
    fn processing_ratio(&self) -> Option<f64> {
        let rate = |name| self.processed_per_second.get(name);
        Some(rate("in_batches")? / rate("one_by_one")?)
    }

    pub(crate) fn add(&mut self, measurement: Measurement) {
        self.measurements.push(measurement);
    }

    /// Returns whether every acknowledged delivery is stored and processed.
    pub(crate) fn nothing_lost(&self) -> bool {
        self.measurements.iter().all(|one| one.lost == 0)
    }

    /// Returns the acknowledged deliveries per second of a server, one value per round.
    fn rates(&self, kind: Kind) -> impl Iterator<Item = f64> {
        let of_kind = self
            .measurements
            .iter()
            .filter(move |one| one.server == kind);
        of_kind.map(|one| one.acks_per_second)
    }

    /// Returns the median ratio of group commit to another server.
    fn ratio(&self, to: Kind) -> Option<f64> {
        // Ratios are taken within a round because the speed of a shared machine changes between rounds.
        let rounds = self.rates(Kind::Group).zip(self.rates(to));
        let mut ratios: Vec<f64> = rounds.map(|(group, other)| group / other).collect();
        ratios.sort_by(f64::total_cmp);
        ratios.get(ratios.len() / 2).copied()
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "connections": self.connections, "seconds": self.seconds, "cores": self.cores,
            "flushes_per_second": self.flushes_per_second, "settings": self.settings, "measured": self.measurements,
            "group_to_single": self.ratio(Kind::Single), "group_to_nothing": self.ratio(Kind::Nothing),
            "processed_per_second": self.processed_per_second, "batches_to_one_by_one": self.processing_ratio(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n{} connections, {} s each, {} cores; {:.0} flushes of 8 kB per second",
            self.connections, self.seconds, self.cores, self.flushes_per_second
        )?;
        let settings = self.settings.iter();
        let settings: Vec<String> = settings
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        writeln!(f, "Postgres: {}", settings.join(" "))?;
        for (kind, baseline) in [
            (Kind::Single, "one INSERT per request"),
            (Kind::Nothing, "storing nothing"),
        ] {
            if let Some(ratio) = self.ratio(kind) {
                writeln!(f, "group commit: {ratio:.2} times {baseline}")?;
            }
        }
        if let Some(ratio) = self.processing_ratio() {
            let rate = |name| self.processed_per_second.get(name).copied();
            writeln!(
                f,
                "processed in batches {:.0}/s, one by one {:.0}/s: {ratio:.1} times",
                rate("in_batches").unwrap_or_default(),
                rate("one_by_one").unwrap_or_default(),
            )?;
        }
        Ok(())
    }
}
