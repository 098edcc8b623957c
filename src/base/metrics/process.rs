//! The metrics of the process that every Prometheus client has.

use std::fmt::Error;

use chrono::DateTime;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::base::clock::{Clock, SystemClock};

/// Ticks per second in `/proc`: a constant of Linux's interface.
const TICKS: f64 = 100.0;

/// Returns a registry with the metrics of this process.
pub(super) fn registry() -> Registry {
    let mut registry = Registry::default();
    // Read once: after a correction of the system's clock it would be another time.
    let started_at = start_time().unwrap_or_else(|| {
        let now = SystemClock
            .now()
            .signed_duration_since(DateTime::UNIX_EPOCH);
        now.to_std().map_or(0.0, |now| now.as_secs_f64())
    });
    registry.register_collector(Box::new(Process { started_at }));
    registry
}

#[derive(Debug)]
struct Process {
    /// In seconds since the epoch.
    started_at: f64,
}

impl Collector for Process {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> Result<(), Error> {
        let (resident, virtual_memory) = memory();
        if let Some(seconds) = cpu_seconds() {
            let counter = ConstCounter::new(seconds);
            let help = "Processor time of the process, user and system.";
            let described =
                to.encode_descriptor("process_cpu_seconds", help, None, counter.metric_type())?;
            counter.encode(described)?;
        }
        for (name, help, value) in [
            (
                "process_start_time_seconds",
                "Start of the process since the Unix epoch.",
                Some(self.started_at),
            ),
            (
                "process_resident_memory_bytes",
                "Resident memory.",
                resident,
            ),
            (
                "process_virtual_memory_bytes",
                "Virtual memory.",
                virtual_memory,
            ),
            (
                "process_open_fds",
                "Open files and connections.",
                open_descriptors(),
            ),
            (
                "process_max_fds",
                "Limit on open files and connections.",
                max_descriptors(),
            ),
        ] {
            if let Some(value) = value {
                let gauge = ConstGauge::new(value);
                let described = to.encode_descriptor(name, help, None, gauge.metric_type())?;
                gauge.encode(described)?;
            }
        }
        Ok(())
    }
}

/// Returns the start of the process, where `/proc` has it.
fn start_time() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program may contain blanks.
    let (_, fields) = stat.rsplit_once(") ")?;
    let ticks: f64 = fields.split(' ').nth(19)?.parse().ok()?;
    let system = std::fs::read_to_string("/proc/stat").ok()?;
    let boot = system.lines().find_map(|line| line.strip_prefix("btime "));
    let boot: f64 = boot?.trim().parse().ok()?;
    Some(boot + ticks / TICKS)
}

/// Returns resident and virtual memory in bytes.
fn memory() -> (Option<f64>, Option<f64>) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kib * 1024.0)
    };
    (bytes("VmRSS:"), bytes("VmSize:"))
}

fn open_descriptors() -> Option<f64> {
    let open = std::fs::read_dir("/proc/self/fd").ok()?.count();
    // The listing itself is one of them.
    u32::try_from(open.saturating_sub(1)).ok().map(f64::from)
}

#[cfg(unix)]
fn cpu_seconds() -> Option<f64> {
    use nix::sys::resource::{UsageWho, getrusage};

    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let time = usage.user_time() + usage.system_time();
    let whole = i32::try_from(time.tv_sec()).ok().map(f64::from)?;
    let micros = i32::try_from(time.tv_usec()).ok().map(f64::from)?;
    Some(whole + micros / 1e6)
}

#[cfg(unix)]
fn max_descriptors() -> Option<f64> {
    use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};

    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    let limit = u32::try_from(soft).ok().filter(|_| soft != RLIM_INFINITY);
    limit.map(f64::from)
}

#[cfg(not(unix))]
fn cpu_seconds() -> Option<f64> {
    None
}

#[cfg(not(unix))]
fn max_descriptors() -> Option<f64> {
    None
}
